// tcp, tls and unix: frames follow each other on a socket (LINK-1).

/** A link over a socket that is connected, with allowHalfOpen. */
export class StreamLink {
  #socket;

  constructor(socket, isProtected) {
    this.#socket = socket;
    this.isProtected = isProtected; // whether proofs may cross it (AUTH-10)
  }

  start(session) {
    const socket = this.#socket;
    socket.on('data', (bytes) => {
      session.onLife(bytes.length);
      session.onBytes(bytes);
    });
    socket.on('drain', () => session.onDrain());
    socket.on('end', () => session.onEnd(true));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => session.onClose());
  }

  /** Whether more should wait until `onDrain`. */
  get isFull() {
    return this.#socket.writableNeedDrain;
  }

  write(bytes) {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Say that nothing more is written: FIN, behind close_notify on TLS. */
  halfClose() {
    this.#socket.end();
  }

  destroy() {
    this.#socket.destroy();
  }

  /** Close whatever happens, for nobody waits longer. */
  destroyAfter(seconds) {
    const timer = setTimeout(() => this.destroy(), seconds * 1_000);
    this.#socket.once('close', () => clearTimeout(timer));
  }
}
