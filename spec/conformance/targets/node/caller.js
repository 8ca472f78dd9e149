// Calls that this side makes, and the proof of who it is that may come before them.

import { Items } from './items.js';
import { CODE, CallError, KIND, SERVER_STREAM, ValueRefused } from './standard.js';
import { decodeValue, encodeValue, isReference } from './values.js';

const LONGEST = 2 ** 31 - 1; // milliseconds of a deadline (CTX-2)

/** A call that was sent. `terminal` resolves to the value of the RESULT, or rejects with a CallError. */
class Outgoing {
  #session;

  constructor(session, call, given, takesReference) {
    this.#session = session;
    this.call = call;
    this.given = given; // references that its arguments carried
    this.takesReference = takesReference; // whether a result that is one is of use
    this.items = new Items((body, dropped) => session.consumed(call, body, dropped));
    if (!(call.shape & SERVER_STREAM)) this.items.end();
    this.terminal = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.terminal.catch(() => {}); // whoever has given the call up does not ask
  }

  settle(value, error) {
    clearTimeout(this.timer);
    if (error === undefined) this.resolve(value);
    else this.reject(error);
    this.items.end(error);
  }

  /** Send an item; false where the call is over for it, so that there is no use in more. */
  async send(value) {
    const session = this.#session;
    const { call } = this;
    const frame = { kind: KIND.ITEM, id: call.id, body: encodeValue(value) };
    if (!session.fits(frame)) {
      this.cancel();
      throw new CallError(CODE.TOO_LARGE);
    }
    while (!session.calls.mayItem(call) || session.isFull) {
      if (call.answered || call.ended || session.isOver) return false;
      await session.changed();
    }
    if (call.answered || call.ended || session.isOver) return false;
    session.send(frame);
    return true;
  }

  /** End the stream to the receiver; also where the answer has come before (STREAM-6). */
  end() {
    if (!this.call.ended) this.#session.send({ kind: KIND.END, id: this.call.id });
  }

  /** Give the call up: its terminal still comes, and what comes before it is dropped (CANCEL-5). */
  cancel() {
    const { call } = this;
    if (call.cancelled || (call.answered && call.ended)) return;
    this.#session.send({ kind: KIND.CANCEL, id: call.id });
    this.items.drop();
  }
}

export class Caller {
  #session;
  #outgoing = new Map();
  #proof;
  #ended; // the error of whoever calls after the end
  #proved; // {resolve, reject} of an exchange that is under way

  constructor(session) {
    this.#session = session;
    this.lastRun = Infinity; // the last id of a GOAWAY with an error: no call above it ran
  }

  // ---------------------------------------------------------------- proving

  /** Prove who this side is; resolves when that was accepted, and rejects with a CallError when it was refused. */
  async prove({ scheme, proof }) {
    const session = this.#session;
    if (!session.setup.trust.mayProve(session.link)) throw new CallError(CODE.UNAUTHENTICATED, null, false);
    for (; !session.core.isOpen; await session.changed()) this.#goOn();
    this.#proof = { scheme, proof };
    const proved = new Promise((resolve, reject) => {
      this.#proved = { resolve, reject };
    });
    session.send({ kind: KIND.AUTH, scheme, proof });
    await proved;
  }

  /** The answer to a challenge, in the schemes of the tests: the proof without the byte that counts the rounds. */
  challenged() {
    const { scheme, proof } = this.#proof;
    this.#session.send({ kind: KIND.AUTH, scheme, proof: proof.subarray(0, -1) });
  }

  accepted() {
    this.#proved.resolve();
  }

  // ---------------------------------------------------------------- making a call

  /** Raises where no call can be made any more. */
  #goOn() {
    if (!this.#session.mayCall) throw this.#ended ?? new CallError(CODE.UNAVAILABLE, null, false);
  }

  /** Make a call, as soon as the other side takes it. Raises CallError where it was not sent.
   *
   * `positional` are the arguments; `deadline` is in milliseconds, of performance.now(); `trace` and `credential` are
   * as frames have them; `signal`, once aborted (and the session woken), keeps the call from being made. Who is not
   * `patient` does not wait for a free slot (CALL-15). A reference is a result only where `takesReference` says so.
   */
  async begin({ target, shape, positional, deadline, trace, credential, signal, patient = true, takesReference }) {
    const session = this.#session;
    const encode = () => session.references.encode([positional, new Map()]);
    let { body, given } = encode();
    const mayProve = session.setup.trust.mayProve(session.link);
    if (credential && !mayProve) throw new CallError(CODE.UNAUTHENTICATED, null, false);
    const frame = () => ({
      kind: KIND.CALL, id: session.calls.myLast + 2, shape, target, context: contextOf(deadline, trace),
      credential: credential ?? null, body,
    });
    const stop = () => {
      this.#goOn();
      if (signal.aborted) throw new CallError(CODE.CANCELLED, null, false);
      if (performance.now() >= deadline) throw new CallError(CODE.DEADLINE_EXCEEDED, null, false);
      if (session.core.isOpen && !session.fits(frame())) throw new CallError(CODE.TOO_LARGE, null, false);
    };
    const alarm = deadline && setTimeout(() => session.wake(), left(deadline));
    try {
      stop();
      // others wait, too: between the last look and the CALL there must be no await
      while (!(session.core.isOpen && session.calls.mayCall(body.length))) {
        if (!patient) throw new CallError(CODE.OVERLOADED, null, false);
        await session.changed();
        if (given.length > 0) ({ body, given } = encode()); // others have given references meanwhile
        stop();
      }
    } finally {
      clearTimeout(alarm);
    }
    session.references.gave(given, session.judge.subject);
    const outgoing = new Outgoing(session, session.send(frame()), given, takesReference);
    this.#outgoing.set(outgoing.call.id, outgoing);
    if (deadline) outgoing.timer = setTimeout(() => this.#late(outgoing), left(deadline));
    return outgoing;
  }

  #late(outgoing) {
    outgoing.settle(undefined, new CallError(CODE.DEADLINE_EXCEEDED));
    outgoing.cancel(); // CTX-5
  }

  // ---------------------------------------------------------------- what is read

  item(call, body) {
    this.#outgoing.get(call.id).items.push(body);
  }

  terminal(call, frame) {
    const outgoing = this.#outgoing.get(call.id);
    if (frame.kind === KIND.ERROR) this.#session.references.forget(outgoing.given);
    if (call.cancelled) {
      if (frame.body !== null) this.#session.references.discard(frame.body);
      outgoing.settle(undefined, new CallError(CODE.CANCELLED));
    } else if (frame.kind === KIND.RESULT) {
      try {
        outgoing.settle(outgoing.takesReference ? this.#reference(frame.body) : this.plainValue(frame.body));
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        outgoing.settle(undefined, error);
      }
    } else outgoing.settle(undefined, errorOf(frame));
    this.#outgoing.delete(call.id); // not before: where a wrong reference ends the session, it ends with that
  }

  /** The value in the body of a RESULT or ITEM. A reference is of no use here, and is released (REF-5). */
  plainValue(body) {
    const { value, references } = this.#decode(body);
    if (references.length === 0) return value;
    this.#session.guard(() => this.#session.references.discard(body));
    throw new CallError(CODE.INTERNAL);
  }

  /** The reference that a RESULT is, as a Remote; any other value as it is. */
  #reference(body) {
    const { value, references } = this.#decode(body);
    if (references.length === 0) return value;
    this.#session.references.check(references);
    if (isReference(value)) return this.#session.references.hold(value);
    return this.plainValue(body);
  }

  #decode(body) {
    let found;
    try {
      found = decodeValue(body);
    } catch (error) {
      if (!(error instanceof ValueRefused)) throw error;
      throw new CallError(CODE.INTERNAL); // what the other side sent is no value: the call fails, and not the session
    }
    return found;
  }

  /** The other side will not run these calls (LEAVE-5). */
  neverRan(calls) {
    for (const { id } of calls) {
      this.#session.references.forget(this.#outgoing.get(id)?.given ?? []);
      this.#fail(id, new CallError(CODE.UNAVAILABLE, null, false));
    }
  }

  #fail(id, error) {
    const outgoing = this.#outgoing.get(id);
    this.#outgoing.delete(id);
    outgoing?.settle(undefined, error);
  }

  /** The session has ended: nobody knows whether the calls up to the last id ran. */
  sessionOver(code) {
    const told = code === CODE.UNAUTHENTICATED ? code : CODE.UNAVAILABLE;
    this.#ended = new CallError(told, null, false);
    this.#proved?.reject(this.#ended);
    for (const id of [...this.#outgoing.keys()]) this.#fail(id, new CallError(told, null, id <= this.lastRun));
  }
}

/** The milliseconds until a deadline; no more than CTX-2, and a timer of Node.js, can have. */
const left = (deadline) => Math.min(LONGEST, deadline - performance.now());

function contextOf(deadline, trace) {
  const context = new Map();
  if (deadline) context.set(1, Math.max(1, Math.floor(left(deadline))));
  if (trace) context.set(2, trace);
  return context.size ? context : null;
}

const NOTHING_RAN = [CODE.UNAUTHENTICATED, CODE.DENIED, CODE.UNKNOWN_TARGET, CODE.OVERLOADED, CODE.UNAVAILABLE];

/** What the user is told of an ERROR; *internal*, without a body, where that is not what section 11 says (ERR-2). */
export function errorOf({ code, body }) {
  if (body === null) return new CallError(code, null, !NOTHING_RAN.includes(code));
  let value;
  try {
    ({ value } = decodeValue(body));
  } catch {
    return new CallError(CODE.INTERNAL);
  }
  if (!isBodyOf[code](value)) return new CallError(CODE.INTERNAL);
  const ran = code !== CODE.BAD_ARGUMENTS || value.startsWith('items'); // ERR-3
  return new CallError(code, body, ran);
}

const isBodyOf = {
  [CODE.BAD_ARGUMENTS]: (value) => typeof value === 'string',
  [CODE.INTERNAL]: (value) => Buffer.isBuffer(value) && value.length === 8,
  [CODE.APPLICATION]: (value) =>
    Array.isArray(value) && value.length === 3 && typeof value[0] === 'string' && typeof value[1] === 'string' &&
    value[2] instanceof Map && [...value[2].keys()].every((key) => typeof key === 'string'),
};
