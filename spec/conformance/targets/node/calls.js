// Which frames about calls may come, and what they change: the tables 14.3, 14.4 and 14.5 of the standard. There is no
// I/O here, and no user code; what is sent is told, so that both ends count alike.

import {
  CLIENT_STREAM, ITEM_COST, KIND, LARGEST_CREDIT, LEAST_LIMITS, SERVER_STREAM, SessionError,
} from './standard.js';

const bad = (clause) => {
  throw new SessionError(clause);
};

/** A call, of either side. `ended`: the caller's stream has (or there is none). `answered`: its terminal was sent or
 * read; `written`: it has left, too. `credit` is what may still be sent, `allowed` what may still come, in bytes.
 */
class Call {
  constructor(frame, credit, allowed) {
    this.id = frame.id;
    this.shape = frame.shape;
    this.size = frame.body.length;
    this.ended = !(frame.shape & CLIENT_STREAM);
    this.cancelled = false;
    this.answered = false;
    this.written = false;
    this.readAt = performance.now(); // deadlines run from here, also while a call is held (CTX-2)
    this.owed = 0; // what was used up of a stream that comes in, and is to be given back by CREDIT
    this.credit = credit;
    this.allowed = allowed;
    this.held = false; // AUTH-6
    this.failed = false; // a call of the other side: its terminal was ERROR
  }
}

export class Calls {
  #odd;
  #limits;
  #lastFramed = 0; // of my calls for which a frame came: those can't be said not to have run (LEAVE-3)
  #theirLimits = LEAST_LIMITS;

  /** `odd`: whether this side's calls have odd ids, as the initiator's do (CALL-1). */
  constructor(odd, limits) {
    this.#odd = odd;
    this.#limits = limits;
    this.mine = new Map();
    this.theirs = new Map();
    this.myLast = odd ? -1 : 0;
    this.theirLast = odd ? 0 : -1;
    this.mySize = 0;
    this.theirSize = 0;
    this.credit = LEAST_LIMITS.session_credit;
    this.allowed = limits.session_credit;
    this.ignoredAbove = Infinity; // CALL-13: the last id of this side's GOAWAY
  }

  /** Whether no call is open in either direction. */
  get idle() {
    return this.mine.size === 0 && this.theirs.size === 0;
  }

  get theirLimits() {
    return this.#theirLimits;
  }

  /** The other side's HELLO was read: what it allows beyond the least is added (CREDIT-7). */
  opened(limits) {
    this.credit += limits.session_credit - this.#theirLimits.session_credit;
    for (const call of this.mine.values()) call.credit += limits.stream_credit - this.#theirLimits.stream_credit;
    this.#theirLimits = limits;
  }

  /** Whether the other side takes a call with a body of this size now (CALL-4, CALL-5). */
  mayCall(size) {
    return (
      this.mine.size < this.#theirLimits.calls_in_flight &&
      this.mySize + size <= this.#theirLimits.unfinished_body_bytes
    );
  }

  mayItem(call) {
    return call.credit > 0 && this.credit > 0;
  }

  isMine(id) {
    return (id % 2 === 1) === this.#odd;
  }

  #wasTheirs(id) {
    return !this.isMine(id) && id <= this.theirLast;
  }

  #isIgnored(id) {
    return this.#wasTheirs(id) && id > this.ignoredAbove;
  }

  // ---------------------------------------------------------------- what is read: the call, or undefined to ignore it

  readCall(frame) {
    if (frame.id !== this.theirLast + 2) bad('CALL-1');
    if (frame.context?.has(3)) bad('CTX-4'); // nobody told this side to use tracestate
    this.theirLast = frame.id;
    if (this.#isIgnored(frame.id)) return undefined;
    if (this.theirs.size >= this.#limits.calls_in_flight) bad('CALL-4');
    if (this.theirSize + frame.body.length > this.#limits.unfinished_body_bytes) bad('CALL-5');
    const call = new Call(frame, this.#theirLimits.stream_credit, this.#limits.stream_credit);
    this.theirs.set(call.id, call);
    this.theirSize += call.size;
    return call;
  }

  readTerminal({ id }) {
    const call = this.mine.get(id) ?? bad('CALL-7');
    if (call.answered) bad('CALL-6');
    this.#framed(call);
    call.answered = call.written = true;
    this.#settleMine(call);
    return call;
  }

  readItem({ id, body }) {
    const cost = body.length + ITEM_COST;
    const mine = this.isMine(id);
    const call = mine ? this.#itemForMine(id) : this.#itemForTheirs(id);
    if (this.allowed <= 0 || call?.allowed <= 0) bad('CREDIT-2');
    this.allowed -= cost;
    if (call !== undefined) call.allowed -= cost;
    return call;
  }

  #itemForMine(id) {
    const call = this.mine.get(id) ?? bad('CALL-7');
    if (!(call.shape & SERVER_STREAM)) bad('STREAM-1');
    if (call.answered) bad('STREAM-3');
    this.#framed(call);
    return call;
  }

  #itemForTheirs(id) {
    if (this.#isIgnored(id)) return undefined;
    const call = this.theirs.get(id) ?? bad('CALL-7');
    if (!(call.shape & CLIENT_STREAM)) bad('STREAM-1');
    if (call.ended) bad('STREAM-3');
    return call;
  }

  readEnd({ id }) {
    if (this.isMine(id)) bad('STREAM-2');
    if (this.#isIgnored(id)) return undefined;
    const call = this.theirs.get(id) ?? bad('CALL-7');
    if (call.ended) bad('STREAM-2');
    call.ended = true;
    this.#settleTheirs(call);
    return call;
  }

  readCancel({ id }) {
    if (this.isMine(id)) bad('CANCEL-1');
    const call = this.theirs.get(id);
    if (call === undefined) return this.#wasTheirs(id) ? undefined : bad('CALL-7'); // CALL-8
    if (call.cancelled) bad('CANCEL-2');
    call.cancelled = call.ended = true;
    this.#settleTheirs(call);
    return call;
  }

  readCredit({ id, more }) {
    if (id === 0) {
      this.credit = added(this.credit, more);
      return undefined;
    }
    const call = this.isMine(id) ? this.#creditForMine(id) : this.#creditForTheirs(id);
    if (call !== undefined) call.credit = added(call.credit, more);
    return call;
  }

  #creditForMine(id) {
    const call = this.mine.get(id);
    if (call === undefined || !(call.shape & CLIENT_STREAM) || call.answered) bad('CREDIT-4');
    this.#framed(call);
    return call.ended ? undefined : call;
  }

  #creditForTheirs(id) {
    const call = this.theirs.get(id);
    if (call === undefined) return this.#wasTheirs(id) ? undefined : bad('CREDIT-4'); // CALL-8
    if (!(call.shape & SERVER_STREAM)) bad('CREDIT-4');
    return call.answered ? undefined : call;
  }

  /** The other side runs no call above this id: those are over. Raises if it has already answered one. */
  readLast(last) {
    if (this.#lastFramed > last) bad('LEAVE-3');
    const above = [...this.mine.values()].filter((call) => call.id > last);
    for (const call of above) {
      call.ended = call.answered = call.written = true;
      this.#settleMine(call);
    }
    return above;
  }

  #framed(call) {
    this.#lastFramed = Math.max(this.#lastFramed, call.id);
  }

  // ---------------------------------------------------------------- what is sent

  sent(frame) {
    switch (frame.kind) {
      case KIND.CALL:
        return this.#sentCall(frame);
      case KIND.RESULT:
      case KIND.ERROR:
        this.theirs.get(frame.id).answered = true;
        this.theirs.get(frame.id).failed = frame.kind === KIND.ERROR;
        return undefined;
      case KIND.ITEM:
        return this.#sentItem(frame);
      case KIND.END:
      case KIND.CANCEL:
        return this.#sentEnd(frame);
      default:
        return this.#sentCredit(frame);
    }
  }

  #sentCall(frame) {
    const call = new Call(frame, this.#theirLimits.stream_credit, this.#limits.stream_credit);
    this.myLast = call.id;
    this.mine.set(call.id, call);
    this.mySize += call.size;
    return call;
  }

  #sentItem({ id, body }) {
    const call = this.mine.get(id) ?? this.theirs.get(id);
    call.credit -= body.length + ITEM_COST;
    this.credit -= body.length + ITEM_COST;
  }

  #sentEnd({ id, kind }) {
    const call = this.mine.get(id);
    call.ended = true;
    call.cancelled ||= kind === KIND.CANCEL;
    this.#settleMine(call);
  }

  #sentCredit({ id, more }) {
    if (id === 0) this.allowed += more;
    else (this.mine.get(id) ?? this.theirs.get(id)).allowed += more;
  }

  /** The terminal of a call of the other side has left; only now may its slot be taken again (CALL-14). */
  wrote(call) {
    call.written = true;
    this.#settleTheirs(call);
  }

  // ---------------------------------------------------------------- closed (CALL-9)

  #settleTheirs(call) {
    if (call.written && call.ended && this.theirs.delete(call.id)) this.theirSize -= call.size;
  }

  #settleMine(call) {
    if (call.answered && call.ended && this.mine.delete(call.id)) this.mySize -= call.size;
  }
}

function added(balance, more) {
  if (balance + more > LARGEST_CREDIT) bad('CREDIT-3');
  return balance + more;
}
