// ws and wss behind their handshake: frames travel in binary messages (RFC 6455, and section 17.2 of the standard).
// Both ends are here; the one difference is who masks.

import { randomBytes } from 'node:crypto';

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const LARGEST_CONTROL = 125;

const ENDED = 1000;
export const WRONG = 1002;
const TEXT_MESSAGE = 1003;

/** A link over a socket whose WebSocket handshake is done; `rest` are bytes that came behind it. */
export class WebSocketLink {
  #socket;
  #isClient;
  #rest;
  #session;
  #kept = Buffer.alloc(0);
  #frame; // the WebSocket frame whose payload is being read: {opcode, final, mask, left, at}
  #inMessage = false;
  #size = 0; // of the message
  #control = [];
  #saidClose = false;
  #isClosed = false; // the other side's Close was read, or something that makes reading on pointless

  constructor(socket, isProtected, isClient, rest) {
    this.#socket = socket;
    this.isProtected = isProtected;
    this.#isClient = isClient;
    this.#rest = rest;
  }

  start(session) {
    this.#session = session;
    const socket = this.#socket;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('drain', () => session.onDrain());
    socket.on('end', () => this.#end());
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => session.onClose());
    if (this.#rest?.length > 0) process.nextTick(() => this.#read(this.#rest)); // the session is not made yet
  }

  get isFull() {
    return this.#socket.writableNeedDrain;
  }

  // ---------------------------------------------------------------- writing

  /** A frame of Graftwire, as a message of its own. */
  write(bytes) {
    if (!this.#saidClose) this.#write(BINARY, bytes);
  }

  #write(opcode, payload) {
    if (!this.#socket.writable) return;
    const short = payload.length <= LARGEST_CONTROL;
    const head = Buffer.alloc(short ? 2 : payload.length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = (this.#isClient ? 0x80 : 0) | (short ? payload.length : head.length === 4 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(payload.length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2);
    if (!this.#isClient) return this.#socket.write(Buffer.concat([head, payload]));
    const mask = randomBytes(4);
    return this.#socket.write(Buffer.concat([head, mask, masked(payload, mask, 0)]));
  }

  /** WebSocket has no half-close: nothing is written behind the Close (section 17.2). */
  halfClose(code = ENDED) {
    if (!this.#saidClose) {
      this.#saidClose = true;
      this.#write(CLOSE, closePayload(code));
    }
    if (this.#isClosed) this.#socket.end();
  }

  destroy() {
    this.#socket.destroy();
  }

  destroyAfter(seconds) {
    const timer = setTimeout(() => this.destroy(), seconds * 1_000);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  // ---------------------------------------------------------------- reading

  #read(bytes) {
    if (this.#isClosed) return;
    this.#session.onLife(bytes.length);
    this.#kept = this.#kept.length > 0 ? Buffer.concat([this.#kept, bytes]) : bytes;
    // what is kept is at most a head: payloads are handed on as they come
    while (!this.#isClosed && (this.#frame === undefined ? this.#readHead() : this.#readPayload()));
  }

  #readHead() {
    const kept = this.#kept;
    if (kept.length < 2) return false;
    const opcode = kept[0] & 15;
    const final = (kept[0] & 0x80) !== 0;
    const isMasked = (kept[1] & 0x80) !== 0;
    const short = kept[1] & 127;
    const isControl = opcode >= CLOSE;
    const isKnown = opcode <= BINARY || (isControl && opcode <= PONG);
    const isWrong =
      (kept[0] & 0x70) !== 0 || !isKnown || isMasked === this.#isClient ||
      (isControl ? !final || short > LARGEST_CONTROL : (opcode === CONTINUATION) !== this.#inMessage);
    if (isWrong) return this.#abandon();
    const lengthSize = { 126: 2, 127: 8 }[short] ?? 0;
    const size = 2 + lengthSize + (isMasked ? 4 : 0);
    if (kept.length < size) return false;
    const length = lengthAt(kept, lengthSize);
    if (length === undefined) return this.#abandon();
    const mask = isMasked ? kept.subarray(size - 4, size) : undefined;
    this.#kept = kept.subarray(size);
    this.#frame = { opcode, final, mask, left: length, at: 0 };
    if (opcode === TEXT) {
      this.#fault('WS-2', TEXT_MESSAGE);
      return false;
    }
    return true;
  }

  #readPayload() {
    const frame = this.#frame;
    const part = this.#kept.subarray(0, frame.left);
    if (part.length === 0 && frame.left > 0) return false;
    this.#kept = this.#kept.subarray(part.length);
    const payload = frame.mask ? masked(part, frame.mask, frame.at) : part;
    frame.left -= part.length;
    frame.at += part.length;
    if (frame.left === 0) this.#frame = undefined;
    if (frame.opcode >= CLOSE) this.#readControl(frame, payload);
    else this.#readMessage(frame, payload);
    return true;
  }

  #readMessage(frame, payload) {
    this.#inMessage = true;
    this.#size += payload.length;
    if (payload.length > 0) this.#session.onBytes(payload);
    if (frame.left > 0 || !frame.final) return;
    const size = this.#size;
    this.#inMessage = false;
    this.#size = 0;
    this.#session.onMessageEnd(size);
  }

  #readControl(frame, part) {
    this.#control.push(part);
    if (frame.left > 0) return;
    const payload = Buffer.concat(this.#control.splice(0));
    if (frame.opcode === PING && !this.#saidClose) this.#write(PONG, payload);
    if (frame.opcode === CLOSE) this.#readClose(payload);
  }

  #readClose(payload) {
    if (payload.length === 1 || (payload.length > 1 && !mayBeSent(payload.readUInt16BE()))) {
      this.#abandon();
      return;
    }
    this.#isClosed = true;
    this.#session.onEnd(true);
    this.halfClose();
  }

  /** The WebSocket framing itself is wrong (WS-8): nobody is told by a GOAWAY. */
  #abandon() {
    this.#isClosed = true;
    this.halfClose(WRONG);
    this.#session.onEnd(false);
    return false;
  }

  #fault(clause, code) {
    this.#session.onFault(clause, code);
  }

  /** The connection has ended; without a Close before it, that is an abnormal end (LINK-6). */
  #end() {
    const isOrderly = this.#isClosed;
    this.#isClosed = true;
    if (!isOrderly) this.#session.onEnd(false);
    this.#socket.end();
  }
}

/** The length in a head; undefined for one that is not in its shortest form, or longer than anything that is sent. */
function lengthAt(head, size) {
  if (size === 0) return head[1] & 127;
  const length = size === 2 ? head.readUInt16BE(2) : head.readBigUInt64BE(2);
  if (length < (size === 2 ? 126 : 65_536) || length > Number.MAX_SAFE_INTEGER) return undefined;
  return Number(length);
}

/** Whether a code may stand in a Close frame (RFC 6455, section 7.4). */
const mayBeSent = (code) => code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code);

function closePayload(code) {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return payload;
}

/** A Close frame of an acceptor, for a connection that does not become a link. */
export function closeFrame(code) {
  return Buffer.concat([Buffer.of(0x80 | CLOSE, 2), closePayload(code)]);
}

function masked(payload, mask, at) {
  const bytes = Buffer.allocUnsafe(payload.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = payload[index] ^ mask[(at + index) & 3];
  return bytes;
}
