// Bytes of a link become the payloads of frames. A length is judged before a byte of its frame is kept (FRAME-2).

import { SessionError } from './standard.js';

export class Splitter {
  #buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  /** Whether a frame has begun and is not complete. */
  get inFrame() {
    return this.#end > this.#start;
  }

  push(bytes) {
    const kept = this.#end - this.#start;
    if (kept === 0) {
      [this.#buffer, this.#start, this.#end] = [bytes, 0, bytes.length];
      return;
    }
    if (this.#end + bytes.length > this.#buffer.length) {
      // twice what is needed, so that a frame that comes byte by byte is not copied for each of them; always a new
      // buffer, since payloads that were given away are parts of the old one
      const larger = Buffer.allocUnsafe(2 * (kept + bytes.length));
      this.#buffer.copy(larger, 0, this.#start, this.#end);
      [this.#buffer, this.#start, this.#end] = [larger, 0, kept];
    }
    bytes.copy(this.#buffer, this.#end);
    this.#end += bytes.length;
  }

  /** The next payload, or undefined if it is not there yet. `judge` is given its length, and raises if it is wrong. */
  next(judge) {
    const kept = this.#end - this.#start;
    if (kept === 0) return undefined;
    if (this.#buffer[this.#start] !== 0) throw new SessionError('FRAME-2'); // 2^24 and more; LINK-2
    if (kept < 4) return undefined;
    const length = this.#buffer.readUInt32BE(this.#start);
    judge(length);
    if (kept < 4 + length) return undefined;
    const payload = this.#buffer.subarray(this.#start + 4, this.#start + 4 + length);
    this.#start += 4 + length;
    return payload;
  }
}
