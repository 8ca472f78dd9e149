// The items of a stream that comes in. They wait here for whoever reads them, as far as credit lets them come; what is
// read, or dropped, is given back to the session, which returns it to the other side as CREDIT (CREDIT-6).

export class Items {
  #consumed;
  #bodies = [];
  #ended = false;
  #error;
  #dropping = false;
  #wake = () => {};

  /** `consumed(body, dropped)` is told of each item that was used up. */
  constructor(consumed) {
    this.#consumed = consumed;
  }

  push(body) {
    if (this.#dropping) this.#consumed(body, true);
    else this.#bodies.push(body);
    this.#wake();
  }

  /** No more items come; those that are here can still be read. With an error, reading raises it when they are. */
  end(error) {
    this.#ended = true;
    this.#error ??= error;
    this.#wake();
  }

  /** Whatever is here, and whatever still comes, is shown to nobody. */
  drop() {
    this.#dropping = true;
    for (const body of this.#bodies.splice(0)) this.#consumed(body, true);
  }

  /** The body of the next item; undefined at the end. Raises the reason of `signal` when that is aborted. */
  async next(signal) {
    while (this.#bodies.length === 0 && !this.#ended) {
      signal?.throwIfAborted();
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    signal?.throwIfAborted();
    const body = this.#bodies.shift();
    if (body !== undefined) this.#consumed(body, false);
    else if (this.#error !== undefined) throw this.#error;
    return body;
  }

  /** Look again: the signal of whoever reads may have been aborted. */
  wake() {
    this.#wake();
  }
}
