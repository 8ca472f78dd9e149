// tcp, tls and unix: frames follow each other on a socket (LINK-1).

const PATIENCE = 1_000; // milliseconds in which the other side may close, too

/** Close a socket that does not become a link, in order: with close_notify where there is TLS (LINK-6). */
export function hangUp(socket) {
  const timer = setTimeout(() => socket.destroy(), PATIENCE);
  socket.once('close', () => clearTimeout(timer));
  socket.on('error', () => {});
  socket.resume();
  socket.end();
}

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
