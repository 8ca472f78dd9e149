// Numbers and names of the standard (spec/PROTOCOL.md): kinds of frames, codes of errors, limits. And the three
// ways in which something fails: a session, a value, a call.

export const KIND = Object.freeze({
  HELLO: 0, AUTH: 1, CHALLENGE: 2, ACCEPTED: 3, CALL: 5, RESULT: 6, ERROR: 7, CANCEL: 8, ITEM: 9, END: 10,
  CREDIT: 11, PING: 12, PONG: 13, GOAWAY: 14, RELEASE: 15,
});

// The names of section 11, by number.
export const CODE_NAMES = Object.freeze([
  'none', 'cancelled', 'deadline-exceeded', 'unauthenticated', 'denied', 'unknown-target', 'bad-arguments',
  'application', 'internal', 'overloaded', 'unavailable', 'too-large', 'protocol', 'version',
]);

export const CODE = Object.freeze({
  NONE: 0, CANCELLED: 1, DEADLINE_EXCEEDED: 2, UNAUTHENTICATED: 3, DENIED: 4, UNKNOWN_TARGET: 5, BAD_ARGUMENTS: 6,
  APPLICATION: 7, INTERNAL: 8, OVERLOADED: 9, UNAVAILABLE: 10, TOO_LARGE: 11, PROTOCOL: 12, VERSION: 13,
});

// Shapes are two bits: the streams that a call has.
export const SERVER_STREAM = 1;
export const CLIENT_STREAM = 2;

export const BIGGEST = Number.MAX_SAFE_INTEGER; // 2^53-1, which is also the last id of the first GOAWAY of a drain
export const LARGEST_FRAME = 2 ** 24 - 1;
export const LARGEST_CREDIT = 2 ** 31 - 1;
export const EARLY_FRAME = 16_384; // HELLO-8
export const EARLY_BYTES = 32_768;
export const ITEM_COST = 64; // what an item costs beside its body (CREDIT-1)
export const ROUNDS = 8; // AUTH frames of an exchange (AUTH-3)

// The limits of HELLO by key, as the launch protocol spells their names, with the range of section 15.
export const LIMITS = Object.freeze([
  { key: 1, name: 'largest_frame', least: 65_536, most: LARGEST_FRAME },
  { key: 2, name: 'calls_in_flight', least: 16, most: 65_536 },
  { key: 3, name: 'unfinished_body_bytes', least: 65_536, most: 2 ** 31 - 1 },
  { key: 4, name: 'stream_credit', least: 65_536, most: 2 ** 31 - 1 },
  { key: 5, name: 'session_credit', least: 262_144, most: 2 ** 31 - 1 },
  { key: 6, name: 'idle_time', least: 1_000, most: 2 ** 31 - 1 },
]);

export const DEFAULT_LIMITS = Object.freeze({
  largest_frame: 4_194_304, calls_in_flight: 1_024, unfinished_body_bytes: 16_777_216, stream_credit: 262_144,
  session_credit: 2_097_152, idle_time: 60_000,
});

// What has to be assumed of the other side before its HELLO was read (HELLO-7).
export const LEAST_LIMITS = Object.freeze(Object.fromEntries(LIMITS.map(({ name, least }) => [name, least])));

/** Ends the session: the other side broke this clause (or ran out of time), and is told the code. */
export class SessionError extends Error {
  constructor(clause, code = CODE.PROTOCOL) {
    super(`${clause}: the session ends with ${CODE_NAMES[code]}`);
    this.clause = clause;
    this.code = code;
  }
}

/** Refuses one value, and never the session: the clause of section 16 that it breaks. */
export class ValueRefused extends Error {
  constructor(clause) {
    super(`the value breaks ${clause}`);
    this.clause = clause;
  }
}

/** The answer ERROR to a call, or what its caller is told. `ran` false: it is certain that no user code ran. */
export class CallError extends Error {
  constructor(code, body = null, ran = true) {
    super(CODE_NAMES[code]);
    this.code = code;
    this.body = body;
    this.ran = ran;
  }
}
