// Values (section 16), strictly: what has two encodings is refused in all but one of them.
//
// Integers are BigInt whatever their size, and numbers are floats, because 1 and 1.0 differ on the wire. Maps are Map,
// byte strings are Buffer, and what JavaScript has no type for is `Tagged`: its tag and its content.

import {
  ARRAY, BYTES, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED, argumentAt, head, isShortest,
} from './heads.js';
import { instantOf, isDate, isDatetime, isTime } from './moments.js';
import { BIGGEST, ValueRefused } from './standard.js';

const DEEPEST = 64; // VAL-17
const MOST_ITEMS = 1_048_576; // VAL-18
const MOST_SQUARES = 2 ** 28; // VAL-22

const DATETIME = 0;
const POSITIVE_BIGNUM = 2;
const NEGATIVE_BIGNUM = 3;
const DECIMAL = 4;
const UUID = 37;
const SET = 258;
const DATE = 1004;
const REFERENCE = 41991;
const DURATION = 41992;
const TIME = 41993;

/** What has a tag: a datetime, date, time, duration, decimal, UUID, set or reference. */
export class Tagged {
  constructor(tag, content) {
    this.tag = tag;
    this.content = content;
  }
}

/** What travels as a reference: a function, which can be withdrawn (REF-3). */
export class Callable {
  withdrawn = false;

  constructor(run) {
    this.run = run;
  }
}

export const isReference = (value) => value instanceof Tagged && value.tag === REFERENCE;

function check(holds, clause) {
  if (!holds) throw new ValueRefused(clause);
}

// ---------------------------------------------------------------- tags: what may be in them

const LARGEST_DURATION = 2n ** 63n - 1n;
const COEFFICIENT = 10n ** 34n;

const isInteger = (item, least, most) => typeof item === 'bigint' && item >= least && item <= most;
const isText = (item, is) => typeof item === 'string' && is(item);

const CONTENT = new Map([
  [DATETIME, ['VAL-9', (item) => isText(item, isDatetime)]],
  [DATE, ['VAL-10', (item) => isText(item, isDate)]],
  [TIME, ['VAL-11', (item) => isText(item, isTime)]],
  [DURATION, ['VAL-12', (item) => isInteger(item, -LARGEST_DURATION, LARGEST_DURATION)]],
  [DECIMAL, ['VAL-13', isDecimal]],
  [UUID, ['VAL-14', (item) => Buffer.isBuffer(item) && item.length === 16]],
  [REFERENCE, ['VAL-16', (item) => isInteger(item, 1n, BigInt(BIGGEST))]],
]);

function isDecimal(item) {
  if (!Array.isArray(item) || item.length !== 2) return false;
  const [exponent, coefficient] = item;
  return isInteger(exponent, -6_176n, 6_111n) && isInteger(coefficient, 1n - COEFFICIENT, COEFFICIENT - 1n);
}

/** The type of a set's element and a text that equal values share (VAL-15); undefined for what may not be in a set. */
function kindInSet(item) {
  switch (typeof item) {
    case 'bigint':
      return ['integer', `${item}`];
    case 'string':
      return ['text', item];
    case 'boolean':
      return ['boolean', `${item}`];
    case 'number':
      return ['float', `${item}`]; // 0 for -0.0, too
  }
  if (Buffer.isBuffer(item)) return ['bytes', item.toString('latin1')];
  if (!(item instanceof Tagged)) return undefined;
  const { tag, content } = item;
  if (tag === DATETIME) return [tag, `${instantOf(content)}`];
  if (tag === DATE || tag === TIME || tag === DURATION) return [tag, `${content}`];
  if (tag === UUID) return [tag, content.toString('latin1')];
  return tag === DECIMAL ? [tag, reduced(content)] : undefined;
}

function reduced([exponent, coefficient]) {
  if (coefficient === 0n) return '0';
  while (coefficient % 10n === 0n) {
    coefficient /= 10n;
    exponent += 1n;
  }
  return `${coefficient}e${exponent}`;
}

// ---------------------------------------------------------------- reading

// ignoreBOM keeps a U+FEFF at the beginning of a text; without it, the decoder would drop it.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class ValueReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.items = 0;
    this.squares = 0;
    this.references = [];
  }

  get left() {
    return this.bytes.length - this.at;
  }

  #head() {
    check(this.left > 0, 'VAL-1');
    check(++this.items <= MOST_ITEMS, 'VAL-18');
    const first = this.bytes[this.at++];
    const [major, additional] = [first >> 5, first & 31];
    if (major === SIMPLE || additional < 24) return [major, additional];
    check(additional !== 31, 'VAL-2');
    check(additional <= 27, 'VAL-1');
    const found = argumentAt(this.bytes, this.at, additional);
    check(found !== undefined, 'VAL-1');
    this.at += found.size;
    check(isShortest(found.argument, found.size), 'VAL-3');
    return [major, found.argument];
  }

  /** The next item; `depth` is how many containers and tags are around it. The recursion is bounded by VAL-17. */
  item(depth) {
    const [major, argument] = this.#head();
    switch (major) {
      case UNSIGNED:
        return BigInt(argument);
      case NEGATIVE:
        return -1n - BigInt(argument);
      case BYTES:
        return this.#take(argument);
      case TEXT:
        return this.#text(argument);
      case SIMPLE:
        return this.#simple(argument);
    }
    check(depth < DEEPEST, 'VAL-17');
    if (major === ARRAY) return this.#array(argument, depth + 1);
    if (major === MAP) return this.#map(argument, depth + 1);
    return this.#tagged(argument, depth + 1);
  }

  #take(length) {
    check(length <= this.left, 'VAL-1'); // compared before anything is allocated; a BigInt, too
    this.at += Number(length);
    return this.bytes.subarray(this.at - Number(length), this.at);
  }

  #text(length) {
    const bytes = this.#take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new ValueRefused('VAL-6');
    }
  }

  #simple(additional) {
    if (additional === 20 || additional === 21) return additional === 21;
    if (additional === 22) return null;
    if (additional === 27) {
      const number = this.#take(8).readDoubleBE();
      check(Number.isFinite(number), 'VAL-5');
      return number;
    }
    if (additional === 25) {
      const bits = this.#take(2).readUInt16BE();
      check(bits === 0x7e00 || bits === 0x7c00 || bits === 0xfc00, 'VAL-5');
      return { 0x7e00: NaN, 0x7c00: Infinity, 0xfc00: -Infinity }[bits];
    }
    check(additional !== 26, 'VAL-5');
    throw new ValueRefused(additional > 27 ? 'VAL-1' : 'VAL-19');
  }

  #array(count, depth) {
    check(count <= this.left, 'VAL-1');
    const array = [];
    for (let index = 0; index < count; index++) array.push(this.item(depth));
    return array;
  }

  #map(count, depth) {
    check(count <= this.left / 2, 'VAL-1');
    const map = new Map();
    for (let index = 0; index < count; index++) {
      const key = this.#key(depth);
      const first = index === 0 ? key : map.keys().next().value;
      if (index === 0 && typeof key === 'bigint') this.#square(count);
      check(typeof key === typeof first, 'VAL-7');
      check(!map.has(key), 'VAL-7');
      map.set(key, this.item(depth));
    }
    return map;
  }

  #key(depth) {
    check(this.left > 0, 'VAL-1');
    check([UNSIGNED, NEGATIVE, TEXT].includes(this.bytes[this.at] >> 5), 'VAL-7');
    return this.item(depth);
  }

  #square(count) {
    this.squares += count * count;
    check(this.squares <= MOST_SQUARES, 'VAL-22');
  }

  #tagged(tag, depth) {
    if (tag === SET) return this.#set(depth);
    if (tag === POSITIVE_BIGNUM || tag === NEGATIVE_BIGNUM) return this.#bignum(tag, this.item(depth));
    const rule = CONTENT.get(tag);
    check(rule !== undefined, 'VAL-8');
    const [clause, isRight] = rule;
    const content = this.item(depth);
    check(isRight(content), clause);
    if (tag === REFERENCE) this.references.push(Number(content));
    return new Tagged(tag, content);
  }

  #bignum(tag, bytes) {
    check(Buffer.isBuffer(bytes) && bytes.length >= 9 && bytes.length <= 64 && bytes[0] !== 0, 'VAL-4');
    const number = BigInt(`0x${bytes.toString('hex')}`);
    return tag === POSITIVE_BIGNUM ? number : -1n - number;
  }

  #set(depth) {
    check(depth < DEEPEST, 'VAL-17');
    const [major, count] = this.#head();
    check(major === ARRAY, 'VAL-15');
    check(count <= this.left, 'VAL-1');
    const content = [];
    const seen = new Set();
    let type;
    let before;
    for (let index = 0; index < count; index++) {
      const start = this.at;
      const item = this.item(depth + 1);
      const encoded = this.bytes.subarray(start, this.at);
      const kind = kindInSet(item);
      check(kind !== undefined && (index === 0 || kind[0] === type), 'VAL-15');
      if (index === 0 && kind[0] !== 'text' && kind[0] !== 'bytes') this.#square(count);
      check(index === 0 || Buffer.compare(before, encoded) < 0, 'VAL-15');
      check(!seen.has(kind[1]), 'VAL-15');
      type = kind[0];
      before = encoded;
      seen.add(kind[1]);
      content.push(item);
    }
    return new Tagged(SET, content);
  }
}

/** The one value in these bytes, and the ids of the references in it. Raises ValueRefused. */
export function decodeValue(bytes) {
  const reader = new ValueReader(bytes);
  const value = reader.item(0);
  check(reader.left === 0, 'VAL-1');
  return { value, references: reader.references };
}

// ---------------------------------------------------------------- writing

const SIMPLES = new Map([[null, 'f6'], [false, 'f4'], [true, 'f5']]);

class ValueWriter {
  constructor(give) {
    this.give = give;
    this.parts = [];
    this.items = 0;
  }

  #head(major, argument) {
    check(++this.items <= MOST_ITEMS, 'VAL-18');
    this.parts.push(head(major, argument));
  }

  #bytes(major, bytes) {
    this.#head(major, bytes.length);
    this.parts.push(bytes);
  }

  item(value, depth) {
    if (SIMPLES.has(value)) this.#simple(SIMPLES.get(value));
    else if (typeof value === 'bigint') this.#integer(value);
    else if (typeof value === 'number') this.#float(value);
    else if (typeof value === 'string') this.#text(value);
    else if (Buffer.isBuffer(value)) this.#bytes(BYTES, value);
    else this.#container(value, depth + 1);
  }

  #simple(hex) {
    check(++this.items <= MOST_ITEMS, 'VAL-18');
    this.parts.push(Buffer.from(hex, 'hex'));
  }

  #integer(value) {
    const [major, argument] = value < 0n ? [NEGATIVE, -1n - value] : [UNSIGNED, value];
    if (argument < 2n ** 64n) return this.#head(major, argument);
    const hex = argument.toString(16);
    const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
    check(bytes.length <= 64, 'VAL-4');
    this.#head(TAG, value < 0n ? NEGATIVE_BIGNUM : POSITIVE_BIGNUM);
    return this.#bytes(BYTES, bytes);
  }

  #float(value) {
    if (Number.isNaN(value)) return this.#simple('f97e00');
    if (!Number.isFinite(value)) return this.#simple(value > 0 ? 'f97c00' : 'f9fc00');
    const bytes = Buffer.allocUnsafe(9);
    bytes[0] = 0xfb;
    bytes.writeDoubleBE(value, 1);
    check(++this.items <= MOST_ITEMS, 'VAL-18');
    return this.parts.push(bytes);
  }

  #text(value) {
    check(!/\p{Surrogate}/u.test(value), 'VAL-6'); // Buffer.from would make U+FFFD of a lone surrogate
    this.#bytes(TEXT, Buffer.from(value, 'utf8'));
  }

  #container(value, depth) {
    check(depth <= DEEPEST, 'VAL-17');
    if (Array.isArray(value)) {
      this.#head(ARRAY, value.length);
      for (const each of value) this.item(each, depth);
    } else if (value instanceof Map) {
      this.#head(MAP, value.size);
      for (const [key, each] of value) {
        this.item(key, depth);
        this.item(each, depth);
      }
    } else if (value instanceof Callable) {
      check(this.give !== undefined, 'VAL-16');
      this.#head(TAG, REFERENCE);
      this.#head(UNSIGNED, this.give(value));
    } else {
      // sets come from the reader alone, which has seen that their elements are in order
      this.#head(TAG, value.tag);
      this.item(value.content, depth);
    }
  }
}

/** The bytes of a value. Raises ValueRefused for one that no reader may take.
 *
 * `give` makes the id of the reference that a Callable travels as; without it, there may be none.
 */
export function encodeValue(value, give) {
  const writer = new ValueWriter(give);
  writer.item(value, 0);
  return Buffer.concat(writer.parts);
}
