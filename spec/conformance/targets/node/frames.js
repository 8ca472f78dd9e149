// Frames as objects: {kind, ...elements by name}. The table FRAMES is section 4.2 of the standard, in code.

import { ARRAY, UNSIGNED } from './heads.js';
import { HeaderReader, headerItem } from './headers.js';
import { BIGGEST, CODE, KIND, LARGEST_CREDIT, LIMITS, SessionError } from './standard.js';

// ---------------------------------------------------------------- elements: each says whether an item may stand there

function check(holds, clause) {
  if (!holds) throw new SessionError(clause);
}

const isInteger = (item, least, most) => typeof item === 'number' && item >= least && item <= most;
const isBytes = (item, least, most) => Buffer.isBuffer(item) && item.length >= least && item.length <= most;
const isText = (item, pattern) => typeof item === 'string' && pattern.test(item);

const integer = (least, most, clause) => (item) => check(isInteger(item, least, most), clause);
const id = integer(1, BIGGEST, 'FRAME-6');
const counter = id;
const body = (item) => check(Buffer.isBuffer(item), 'FRAME-6');
const scheme = (item) => check(isText(item, /^[a-z0-9.-]{1,32}$/), 'AUTH-8');
const proof = (item) => check(isBytes(item, 0, 8_192), 'AUTH-8');

function versions(item) {
  check(Array.isArray(item) && item.length >= 1 && item.length <= 8, 'HELLO-2');
  item.forEach((version, index) => check(isInteger(version, index ? item[index - 1] + 1 : 1, BIGGEST), 'HELLO-2'));
}

function limits(item) {
  check(item instanceof Map && item.size === LIMITS.length, 'HELLO-5');
  for (const { key, least, most } of LIMITS) check(isInteger(item.get(key), least, most), 'HELLO-5');
  check(item.get(3) >= item.get(1), 'HELLO-5');
}

function target(item) {
  if (!Array.isArray(item)) return check(isText(item, /^[!-~]{1,255}$/), 'CALL-3');
  const [reference, method] = item;
  return check(
    item.length === 2 && isInteger(reference, 1, BIGGEST) && isText(method, /^[!-~]{0,255}$/),
    'CALL-3',
  );
}

const isId = (item, size) => isBytes(item, size, size) && item.some((byte) => byte !== 0);

function context(item) {
  if (item === null) return;
  check(item instanceof Map && item.size > 0, 'CTX-1');
  for (const [key, value] of item) {
    if (key === 1) check(isInteger(value, 1, 2 ** 31 - 1), 'CTX-2');
    else if (key === 2) {
      check(Array.isArray(value) && value.length === 3, 'CTX-3');
      check(isId(value[0], 16) && isId(value[1], 8) && isInteger(value[2], 0, 3), 'CTX-3');
    } else if (key === 3) check(item.has(2) && isText(value, /^[ -~]{1,512}$/), 'CTX-4');
    else check(false, 'CTX-1');
  }
}

function credential(item) {
  if (item === null) return;
  check(Array.isArray(item) && item.length === 2, 'FRAME-6');
  scheme(item[0]);
  proof(item[1]);
}

const CODES_WITH_BODY = [CODE.BAD_ARGUMENTS, CODE.APPLICATION, CODE.INTERNAL];

function bodyOfError(item, frame) {
  check(CODES_WITH_BODY.includes(frame.code) ? Buffer.isBuffer(item) : item === null, 'ERR-2');
}

// ---------------------------------------------------------------- the kinds, with their elements in order

const FRAMES = {
  [KIND.HELLO]: { versions, limits },
  [KIND.AUTH]: { scheme, proof },
  [KIND.CHALLENGE]: { data: proof },
  [KIND.ACCEPTED]: {},
  [KIND.CALL]: { id, shape: integer(0, 3, 'CALL-2'), target, context, credential, body },
  [KIND.RESULT]: { id, body },
  [KIND.ERROR]: { id, code: integer(1, 13, 'ERR-1'), body: bodyOfError },
  [KIND.CANCEL]: { id },
  [KIND.ITEM]: { id, body },
  [KIND.END]: { id },
  [KIND.CREDIT]: { id: integer(0, BIGGEST, 'FRAME-6'), more: integer(1, LARGEST_CREDIT, 'CREDIT-5') },
  [KIND.PING]: { counter },
  [KIND.PONG]: { counter },
  [KIND.GOAWAY]: { last: integer(0, BIGGEST, 'FRAME-6'), code: integer(0, 13, 'LEAVE-7') },
  [KIND.RELEASE]: { reference: id },
};

/** A frame as it crosses the link, with its length. */
export function encodeFrame(frame) {
  const names = Object.keys(FRAMES[frame.kind]);
  const parts = headerItem([frame.kind, ...names.map((name) => frame[name])]);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([length, ...parts]);
}

/** The frame in these bytes, which its length counts. Raises SessionError. */
export function decodeFrame(payload) {
  const reader = new HeaderReader(payload);
  const [count, kind] = kindOf(reader);
  const elements = FRAMES[kind];
  check(elements !== undefined, 'FRAME-4');
  check(count === Object.keys(elements).length + 1, 'FRAME-5');
  const frame = { kind };
  for (const [name, isRight] of Object.entries(elements)) {
    frame[name] = reader.item();
    isRight(frame[name], frame);
  }
  check(reader.left === 0, 'FRAME-3');
  return frame;
}

function kindOf(reader) {
  const [major, count] = reader.head();
  check(major === ARRAY, 'FRAME-3');
  check(count > 0, 'FRAME-5');
  const [type, kind] = reader.head();
  check(type === UNSIGNED, 'FRAME-4');
  return [count, kind];
}

/** The versions in the head of an initiator's HELLO, which stays as it is in every version of the protocol (HELLO-6).
 *
 * Undefined where the frame is no HELLO. Raises SessionError.
 */
export function versionsOffered(payload) {
  const reader = new HeaderReader(payload);
  const [count, kind] = kindOf(reader);
  if (kind !== KIND.HELLO) return undefined;
  check(count >= 2, 'FRAME-5');
  const offered = reader.item();
  versions(offered);
  return offered;
}

/** Limits by their names, from a HELLO; and the other way round. */
export const limitsOf = (hello) => Object.fromEntries(LIMITS.map(({ key, name }) => [name, hello.limits.get(key)]));
export const limitsMap = (values) => new Map(LIMITS.map(({ key, name }) => [key, values[name]]));
