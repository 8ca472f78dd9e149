// Checks this peer against spec/vectors: node check_vectors.js [DIRECTORY]. Prints what differs, and counts; the exit
// code says whether anything did. Nothing is started for it: codec and core are asked directly.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { decodeArguments } from './arguments.js';
import { errorOf } from './caller.js';
import { Core } from './core.js';
import { decodeFrame, encodeFrame, limitsOf } from './frames.js';
import { CODE_NAMES, DEFAULT_LIMITS, KIND, SessionError, ValueRefused } from './standard.js';
import { Tagged, decodeValue, encodeValue } from './values.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const directory = process.argv[2] ?? path.join(here, '../../../vectors');
const counts = {};
const differences = [];

function vectors(file) {
  const found = JSON.parse(readFileSync(path.join(directory, `${file}.json`), 'utf8')).vectors;
  counts[file] = found.length;
  return found;
}

function bytesOf(hex, parts) {
  if (hex !== undefined) return Buffer.from(hex, 'hex');
  return Buffer.concat(parts.map(([each, times]) => Buffer.from(each.repeat(times), 'hex')));
}

/** What `read` raises of the kind that is expected, or undefined. */
function refusal(read, kind) {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
}

function differs(file, vector, how) {
  differences.push(`${file}: ${vector.name} (${vector.clause}): ${how}`);
}

/** A listener that takes everything and does nothing; vectors say themselves what is sent. */
const nobody = new Proxy({}, { get: () => () => undefined });

// ---------------------------------------------------------------- values and bodies

const TYPES = {
  0: 'datetime', 4: 'decimal', 37: 'uuid', 258: 'set', 1004: 'date', 41991: 'reference', 41992: 'duration',
  41993: 'time',
};

/** A value as the vectors describe it. */
function described(value) {
  if (typeof value === 'bigint') {
    const small = value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= -BigInt(Number.MAX_SAFE_INTEGER);
    return small ? Number(value) : { type: 'int', value: `${value}` };
  }
  if (typeof value === 'number') return { type: 'float', value };
  if (Buffer.isBuffer(value)) return { type: 'bytes', value: value.toString('hex') };
  if (Array.isArray(value)) return value.map(described);
  if (value instanceof Map) return { type: 'map', value: [...value].map((entry) => entry.map(described)) };
  return value instanceof Tagged ? { type: TYPES[value.tag], value: describedContent(value) } : value;
}

function describedContent({ tag, content }) {
  switch (TYPES[tag]) {
    case 'set':
      return content.map(described);
    case 'uuid':
      return content.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    case 'decimal':
      return content;
    case 'reference':
      return Number(content);
    default:
      return `${content}`;
  }
}

function decimalOf(text) {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/.exec(text);
  const coefficient = BigInt(whole + fraction);
  return [BigInt(exponent) - BigInt(fraction.length), sign ? -coefficient : coefficient];
}

/** Whether a value is what a vector says of it. */
function agrees(value, wanted) {
  if (wanted?.type === 'zeros') return value.value === '00'.repeat(wanted.value);
  if (wanted?.type === 'nulls') return value.length === wanted.value && value.every((each) => each === null);
  if (Array.isArray(value)) return value.length === wanted.length && value.every((each, i) => agrees(each, wanted[i]));
  if (value === null || typeof value !== 'object') return value === wanted;
  if (value.type !== wanted.type) return false;
  if (value.type === 'float') return Object.is(value.value, Number(wanted.value));
  if (value.type === 'decimal') return decimalOf(wanted.value).every((each, i) => each === value.value[i]);
  if (value.type === 'set') return wanted.value.every((each) => value.value.some((other) => agrees(other, each)));
  return Array.isArray(value.value) ? agrees(value.value, wanted.value) : value.value === wanted.value;
}

function checkValues() {
  for (const vector of vectors('values')) {
    const bytes = bytesOf(vector.hex, vector.hex_parts);
    let value;
    const refused = refusal(() => ({ value } = decodeValue(bytes)), ValueRefused);
    if (vector.error) {
      if (!refused) differs('values', vector, 'is bad, and was taken');
    } else if (refused) differs('values', vector, `is good, and was refused: ${refused.message}`);
    else if (!encodeValue(value).equals(bytes)) differs('values', vector, 'other bytes when encoded anew');
    else if ('value' in vector && !agrees(described(value), vector.value)) differs('values', vector, 'another value');
  }
}

function checkBodies() {
  for (const vector of vectors('bodies')) {
    const body = bytesOf(vector.hex, vector.hex_parts);
    const refused =
      vector.body === 'call'
        ? refusal(() => decodeArguments(body), ValueRefused) !== undefined
        : errorOf({ code: CODE_NAMES.indexOf(vector.body), body }).body === null;
    const isBad = 'error' in vector || 'refused' in vector;
    if (isBad !== refused) differs('bodies', vector, refused ? 'was refused' : 'was taken');
  }
}

// ---------------------------------------------------------------- frames and sessions

/** An acceptor's core reads these bytes first, and then the end of the link. */
function readFrame(bytes) {
  const core = new Core('acceptor', DEFAULT_LIMITS, nobody);
  core.feed(bytes);
  core.finish();
}

function checkFrames() {
  for (const vector of vectors('frames')) {
    const bytes = bytesOf(vector.hex, vector.hex_parts);
    if (!vector.error) {
      const frame = decodeFrame(bytes.subarray(4));
      if (!encodeFrame(frame).equals(bytes)) differs('frames', vector, 'other bytes when encoded anew');
      continue;
    }
    // the length is the splitter's matter, a HELLO without a common version the core's, and all else the codec's
    const aboutLength = ['FRAME-1', 'FRAME-2', 'FRAME-8', 'LINK-2'].includes(vector.clause);
    const read = () => (aboutLength || vector.error === 'version' ? readFrame(bytes) : decodeFrame(bytes.subarray(4)));
    const refused = refusal(read, SessionError);
    if (!refused) differs('frames', vector, 'is bad, and was taken');
    else if (CODE_NAMES[refused.code] !== vector.error) differs('frames', vector, `code ${CODE_NAMES[refused.code]}`);
  }
}

/** What comes of a session: undefined, or the SessionError and the GOAWAY for it. */
function playSession({ role, steps }, cut) {
  const frames = steps.map((step) => step.end || bytesOf(step.frame, step.frame_parts));
  const own = steps.findIndex((step, index) => step.from === 'self' && frames[index][5] === KIND.HELLO);
  const limits = own < 0 ? DEFAULT_LIMITS : limitsOf(decodeFrame(frames[own].subarray(4)));
  const core = new Core(role, limits, nobody);
  const play = () => {
    steps.forEach((step, index) => {
      if (step.end) core.finish();
      else if (step.from === 'peer') cut(frames[index]).forEach((bytes) => core.feed(bytes));
      else {
        const frame = decodeFrame(frames[index].subarray(4));
        core.sent(frame);
        const call = core.calls.theirs.get(frame.id);
        if ([KIND.RESULT, KIND.ERROR].includes(frame.kind)) core.calls.wrote(call);
      }
    });
  };
  const refused = refusal(play, SessionError);
  if (refused === undefined) return undefined;
  const goaway = encodeFrame({ kind: KIND.GOAWAY, last: core.taken, code: refused.code });
  return { error: CODE_NAMES[refused.code], goaway: goaway.toString('hex') };
}

const WHOLE = (bytes) => [bytes];
const BYTE_BY_BYTE = (bytes) => (bytes.length > 4_096 ? [bytes] : [...bytes].map((byte) => Buffer.of(byte)));

function checkSessions() {
  // references are not the core's matter: references.js needs a session
  const played = vectors('sessions').filter(({ name }) => !name.startsWith('reference.'));
  counts.sessions = played.length;
  for (const vector of played) {
    for (const cut of [WHOLE, BYTE_BY_BYTE]) {
      const found = playSession(vector, cut);
      const { outcome } = vector;
      if (outcome === 'ok') {
        if (found) differs('sessions', vector, `refused with ${found.error}`);
      } else if (found === undefined) differs('sessions', vector, 'not refused');
      else if (found.error !== outcome.error) differs('sessions', vector, `refused with ${found.error}`);
      else if (outcome.goaway && found.goaway !== outcome.goaway) differs('sessions', vector, `says ${found.goaway}`);
    }
  }
}

checkValues();
checkBodies();
checkFrames();
checkSessions();
for (const each of differences) console.log(each);
const counted = Object.entries(counts).map(([file, count]) => `${file}: ${count}`);
console.log(`${counted.join(', ')}; differences: ${differences.length}`);
process.exitCode = differences.length ? 1 : 0;
