// The header of a frame: everything in it but the contents of its byte strings. One encoding only (section 4.3), so it
// is read item by item and anything else is refused; a general CBOR library would let too much through.

import { ARRAY, BYTES, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED, argumentAt, head, isShortest } from './heads.js';
import { BIGGEST, SessionError } from './standard.js';

const NULL = 0xf6;
const DEEPEST = 3; // arrays and maps inside each other: a frame, its context, a traceparent
const LONGEST_ARRAY = 8; // the versions of HELLO
const LARGEST_MAP = 6; // its limits

/** Reads the items of a header: numbers, texts, Buffers, null, arrays, and Maps with numbers as keys. */
export class HeaderReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get left() {
    return this.bytes.length - this.at;
  }

  /** The next head, as [major type, argument]; null is [SIMPLE, 0]. */
  head() {
    if (this.left < 1) throw new SessionError('FRAME-3');
    const first = this.bytes[this.at++];
    const major = first >> 5;
    const additional = first & 31;
    if (first === NULL) return [SIMPLE, 0];
    if (major === NEGATIVE || major === TAG || major === SIMPLE) throw new SessionError('HEAD-6');
    if (additional < 24) return [major, additional];
    if (additional === 31) throw new SessionError('HEAD-5');
    if (additional > 27) throw new SessionError('HEAD-1');
    const found = argumentAt(this.bytes, this.at, additional);
    if (found === undefined) throw new SessionError('FRAME-3');
    this.at += found.size;
    if (!isShortest(found.argument, found.size)) throw new SessionError('HEAD-1');
    if (found.argument > BIGGEST) throw new SessionError('HEAD-2');
    return [major, Number(found.argument)];
  }

  /** The next item; `depth` is how many arrays and maps are around it. */
  item(depth = 1) {
    const [major, argument] = this.head();
    switch (major) {
      case UNSIGNED:
        return argument;
      case SIMPLE:
        return null;
      case BYTES:
        return this.#take(argument);
      case TEXT:
        return asciiText(this.#take(argument));
      case ARRAY:
        return this.#array(argument, depth + 1);
      default:
        return this.#map(argument, depth + 1);
    }
  }

  #take(length) {
    if (length > this.left) throw new SessionError('FRAME-3');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  #array(count, depth) {
    if (depth > DEEPEST || count > LONGEST_ARRAY) throw new SessionError('FRAME-6');
    return Array.from({ length: count }, () => this.item(depth));
  }

  #map(count, depth) {
    if (depth > DEEPEST || count > LARGEST_MAP) throw new SessionError('HEAD-3');
    const map = new Map();
    let before = -1;
    for (let index = 0; index < count; index++) {
      const [major, key] = this.head();
      if (major !== UNSIGNED || key <= before) throw new SessionError('HEAD-3');
      before = key;
      map.set(key, this.item(depth));
    }
    return map;
  }
}

function asciiText(bytes) {
  if (bytes.length > 512) throw new SessionError('HEAD-4'); // longer than any text that a header has
  if (bytes.some((byte) => byte < 0x20 || byte > 0x7e)) throw new SessionError('HEAD-4');
  return bytes.toString('latin1');
}

/** The bytes of a header item, as a list of Buffers: bodies can be long, and are not copied for this. */
export function headerItem(item) {
  if (item === null) return [Buffer.of(NULL)];
  if (typeof item === 'number') return [head(UNSIGNED, item)];
  if (typeof item === 'string') return [head(TEXT, item.length), Buffer.from(item, 'latin1')];
  if (Buffer.isBuffer(item)) return [head(BYTES, item.length), item];
  if (Array.isArray(item)) return [head(ARRAY, item.length), ...item.flatMap(headerItem)];
  return [head(MAP, item.size), ...[...item].flatMap(([key, value]) => [head(UNSIGNED, key), ...headerItem(value)])];
}
