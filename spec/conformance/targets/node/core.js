// The rules of a session without any I/O: bytes in, events out, and a SessionError for what the standard forbids. What
// is sent has to be told (`sent`). Calls have their own file, calls.js.

import { Calls } from './calls.js';
import { decodeFrame, limitsOf, versionsOffered } from './frames.js';
import { Splitter } from './splitter.js';
import {
  BIGGEST, CODE, EARLY_BYTES, EARLY_FRAME, KIND, LARGEST_FRAME, ROUNDS, SessionError,
} from './standard.js';

const VERSION = 1;
const IDLE = 'idle';
const JUDGING = 'judging'; // an AUTH was read, and has no answer yet
const WAITING = 'waiting'; // an answer is due from the other side
const CHALLENGED = 'challenged'; // an AUTH is due from this side

const bad = (clause, code) => {
  throw new SessionError(clause, code);
};

/** The core of a session.
 *
 * `listener` has the methods opened(hello), auth(frame), challenged(frame), accepted(), call(call, frame),
 * terminal(call, frame), item(call, frame), ended(call), cancelled(call), credited(), released(reference),
 * ping(counter), pong(), neverRan(calls) and goaway(frame). An item without a call was for one that is ignored
 * (CALL-13). A listener may close the session at any time, by `closed`.
 */
export class Core {
  #splitter = new Splitter();
  #bytes = 0; // of frames that count for the early limits
  #frames = 0;
  #lastPing = 0;
  #owesPong = false;
  #lasts = []; // of the GOAWAYs in peace that were read
  #held = []; // what happened to held calls, in order
  #judging = { state: IDLE, rounds: 0 };
  #proving = { state: IDLE, rounds: 0 };
  #openingAuth = false; // the second frame was AUTH, and is not accepted yet

  constructor(role, limits, listener) {
    this.isInitiator = role === 'initiator';
    this.limits = limits;
    this.calls = new Calls(this.isInitiator, limits);
    this.listener = listener;
    this.isOpen = false; // the other side's HELLO was read
    this.closed = false;
    this.pings = 0;
    this.awaitsPong = false;
    this.taken = 0; // the id of the last call that was taken, for GOAWAY
  }

  /** Whether a frame has begun and is not complete. */
  get inFrame() {
    return this.#splitter.inFrame;
  }

  /** Whether an AUTH of the other side waits for the end of its exchange. */
  get isJudging() {
    return this.#judging.state !== IDLE;
  }

  /** Bytes came; returns how many frames they completed. */
  feed(bytes) {
    const before = this.#frames;
    this.#splitter.push(bytes);
    while (!this.closed) {
      const payload = this.#splitter.next((length) => this.#judgeLength(length));
      if (payload === undefined) break;
      this.#read(payload);
    }
    return this.#frames - before;
  }

  /** The other side writes nothing more. */
  finish() {
    if (!this.closed && this.inFrame) bad('FRAME-8');
  }

  // ---------------------------------------------------------------- the opening

  get #isEarly() {
    return !this.isInitiator && (!this.isOpen || this.#openingAuth);
  }

  #judgeLength(length) {
    if (length < 2 || length > Math.min(LARGEST_FRAME, this.limits.largest_frame)) bad('FRAME-2');
    if (this.#isEarly && length > EARLY_FRAME) bad('HELLO-8');
  }

  #read(payload) {
    if (!this.isOpen) {
      this.#readFirst(payload);
    } else {
      const frame = decodeFrame(payload);
      if (this.#frames === 1) this.#openingAuth = !this.isInitiator && frame.kind === KIND.AUTH;
      if (this.#openingAuth && !(frame.kind === KIND.AUTH && this.#frames > 1)) this.#countEarly(payload);
      this.#frames++;
      this.#readFrame(frame);
    }
  }

  #countEarly(payload) {
    this.#bytes += payload.length + 4;
    if (this.#bytes > EARLY_BYTES) bad('HELLO-8');
  }

  #readFirst(payload) {
    if (!this.isInitiator) {
      const offered = versionsOffered(payload);
      if (offered !== undefined && !offered.includes(VERSION)) bad('HELLO-4', CODE.VERSION);
    }
    const frame = decodeFrame(payload);
    this.#frames++;
    this.#countEarly(payload);
    if (this.isInitiator && frame.kind === KIND.GOAWAY) {
      if (frame.last !== 0 || frame.code === CODE.NONE) bad('HELLO-10');
      this.closed = true;
      this.listener.goaway(frame);
      return;
    }
    if (frame.kind !== KIND.HELLO) bad('FRAME-7');
    if (this.isInitiator && !(frame.versions.length === 1 && frame.versions[0] === VERSION)) bad('HELLO-3');
    this.isOpen = true;
    this.calls.opened(limitsOf(frame));
    this.listener.opened(frame);
  }

  // ---------------------------------------------------------------- all other frames

  #readFrame(frame) {
    const { calls, listener } = this;
    switch (frame.kind) {
      case KIND.HELLO:
        return bad('HELLO-1');
      case KIND.AUTH:
        return this.#readAuth(frame);
      case KIND.CHALLENGE:
      case KIND.ACCEPTED:
        return this.#readVerdict(frame);
      case KIND.CALL:
        return this.#readCall(frame);
      case KIND.RESULT:
      case KIND.ERROR:
        return listener.terminal(calls.readTerminal(frame), frame);
      case KIND.ITEM:
        return this.#deliver(calls.readItem(frame), (call) => listener.item(call, frame));
      case KIND.END:
        return this.#deliver(calls.readEnd(frame), (call) => call && listener.ended(call));
      case KIND.CANCEL:
        return this.#deliver(calls.readCancel(frame), (call) => call && listener.cancelled(call));
      case KIND.CREDIT:
        calls.readCredit(frame);
        return listener.credited();
      case KIND.PING:
        return this.#readPing(frame);
      case KIND.PONG:
        if (!this.awaitsPong || frame.counter !== this.pings) bad('KEEP-2');
        this.awaitsPong = false;
        return listener.pong();
      case KIND.GOAWAY:
        return this.#readGoaway(frame);
      default:
        return this.#hold(this.isJudging, () => listener.released(frame.reference));
    }
  }

  #readCall(frame) {
    const call = this.calls.readCall(frame);
    if (call === undefined) return;
    call.held = this.isJudging;
    this.#deliver(call, () => this.#take(call, frame));
  }

  #take(call, frame) {
    call.held = false;
    this.listener.call(call, frame);
    this.taken = call.id;
  }

  #deliver(call, event) {
    this.#hold(call?.held, () => event(call));
  }

  #hold(waits, event) {
    if (waits) this.#held.push(event);
    else event();
  }

  #readPing({ counter }) {
    if (this.#owesPong || counter !== this.#lastPing + 1) bad('KEEP-1');
    this.#lastPing = counter;
    this.#owesPong = true;
    this.listener.ping(counter);
  }

  #readGoaway(frame) {
    const { last, code } = frame;
    const before = this.#lasts.at(-1);
    if (last > before) bad('LEAVE-1');
    if (last === BIGGEST) {
      if (code !== CODE.NONE || before !== undefined) bad('LEAVE-8');
    } else if (last !== 0 && !(this.calls.isMine(last) && last <= this.calls.myLast)) bad('LEAVE-8');
    if (code === CODE.NONE) {
      if (before !== undefined && before !== BIGGEST) bad('LEAVE-3');
      this.#lasts.push(last);
      this.listener.neverRan(this.calls.readLast(last));
    } else this.closed = true;
    this.listener.goaway(frame);
  }

  // ---------------------------------------------------------------- exchanges (14.2)

  #readAuth(frame) {
    const exchange = this.#judging;
    if (exchange.state === JUDGING) bad('AUTH-2');
    if (exchange.state === IDLE) exchange.rounds = 0;
    if (++exchange.rounds > ROUNDS) bad('AUTH-3');
    exchange.state = JUDGING;
    this.listener.auth(frame, exchange.rounds);
  }

  #readVerdict(frame) {
    const exchange = this.#proving;
    if (exchange.state !== WAITING) bad('AUTH-4');
    if (frame.kind === KIND.ACCEPTED) {
      exchange.state = IDLE;
      this.listener.accepted();
    } else {
      if (exchange.rounds >= ROUNDS) bad('AUTH-3');
      exchange.state = CHALLENGED;
      this.listener.challenged(frame);
    }
  }

  #accepted() {
    this.#judging.state = IDLE;
    this.#openingAuth = false;
    const held = this.#held;
    this.#held = [];
    for (const event of held) if (!this.closed) event();
  }

  // ---------------------------------------------------------------- what is sent

  /** This frame is sent now; returns the call if it is a CALL. */
  sent(frame) {
    switch (frame.kind) {
      case KIND.HELLO:
      case KIND.RELEASE:
        return undefined;
      case KIND.AUTH:
        if (this.#proving.state === IDLE) this.#proving.rounds = 0;
        this.#proving.rounds++;
        this.#proving.state = WAITING;
        return undefined;
      case KIND.CHALLENGE:
        this.#judging.state = WAITING;
        return undefined;
      case KIND.ACCEPTED:
        return this.#accepted();
      case KIND.PING:
        this.pings = frame.counter;
        this.awaitsPong = true;
        return undefined;
      case KIND.PONG:
        this.#owesPong = false;
        return undefined;
      case KIND.GOAWAY:
        if (frame.code !== CODE.NONE) this.closed = true;
        else this.calls.ignoredAbove = Math.min(this.calls.ignoredAbove, frame.last);
        return undefined;
      default:
        return this.calls.sent(frame);
    }
  }
}
