// A session over a link: it writes what is to be written, in order; reads and hands on what the core has found right;
// opens, leaves, and ends. Calls are in receiver.js and caller.js, proofs in judging.js, time in keeper.js.

import { Caller } from './caller.js';
import { Core } from './core.js';
import { encodeFrame, limitsMap } from './frames.js';
import { Judge } from './judging.js';
import { Keeper } from './keeper.js';
import { Receiver } from './receiver.js';
import { References } from './references.js';
import { BIGGEST, CODE, ITEM_COST, KIND, SessionError } from './standard.js';

const DISCARDED = 65_536; // bytes that are read and dropped at the end, at the most (LEAVE-4)

/** A session; it begins when it is made.
 *
 * `setup` is what the target was told: {limits, bounds, trust, service}. `ended` resolves when the link is closed, with
 * the code that the session failed with, or 0.
 */
export class Session {
  #outbox = [];
  #waiting = []; // whoever waits for something to change
  #owed = 0; // session credit to give back
  #unwhole = 0; // frames in the WebSocket message that is being read
  #discarded = 0;
  #isOver = false; // nothing more is written, but what the link does to close
  #left = false; // the final GOAWAY in peace was sent
  #leaving = false; // no new calls are made
  #wantsToLeave = false; // whatever the other side says
  #code = CODE.NONE;
  #end;
  #afterPong;

  constructor(link, role, setup) {
    this.link = link;
    this.setup = setup;
    this.core = new Core(role, setup.limits, this.#listener());
    this.calls = this.core.calls;
    this.references = new References(this);
    this.receiver = new Receiver(this, setup);
    this.caller = new Caller(this);
    this.judge = new Judge(this, setup);
    this.keeper = new Keeper(this, setup);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    link.start(this);
    if (this.core.isInitiator) this.#sendHello();
  }

  get isOver() {
    return this.#isOver;
  }

  /** Whether new calls may be made (LEAVE-2). */
  get mayCall() {
    return !this.#isOver && !this.#leaving;
  }

  /** Whether frames wait for the link: who has more to send than has to be waits until they are gone. */
  get isFull() {
    return this.#outbox.length > 0 || this.link.isFull;
  }

  // ---------------------------------------------------------------- writing

  /** Send a frame, behind all that was sent before. `written` is called when it can't be taken back any more. */
  send(frame, written) {
    if (this.#isOver) return undefined;
    this.#outbox.push({ bytes: encodeFrame(frame), written });
    const call = this.core.sent(frame); // behind that: what ACCEPTED sets free may be answered at once
    this.#write();
    return call;
  }

  /** Whether a frame is not larger than what the other side takes (FRAME-2). */
  fits(frame) {
    return encodeFrame(frame).length - 4 <= this.calls.theirLimits.largest_frame;
  }

  #write() {
    while (this.#outbox.length > 0 && !this.link.isFull) {
      const { bytes, written } = this.#outbox.shift();
      this.link.write(bytes);
      this.keeper.wrote();
      written?.();
    }
    this.#leaveIfIdle();
  }

  #sendHello() {
    this.send({ kind: KIND.HELLO, versions: [1], limits: limitsMap(this.setup.limits) });
  }

  /** Resolves when anything has changed: a frame was read or written, a call or the session has ended. */
  changed() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** An item was used up: give the credit for it back, when half of it is due (CREDIT-6). What was dropped, or belongs
   * to a stream that has ended, counts for the session alone.
   */
  consumed(call, body, dropped) {
    const cost = body.length + ITEM_COST;
    // what an ERROR has ended is not released, and nobody holds what is in an item that is ignored (REF-4)
    if (dropped && call !== undefined && !call.failed) this.guard(() => this.references.discard(body));
    if (!dropped && !call.answered && !(this.calls.isMine(call.id) ? call.cancelled : call.ended)) {
      call.owed += cost;
      if (call.owed * 2 >= this.setup.limits.stream_credit) {
        this.send({ kind: KIND.CREDIT, id: call.id, more: call.owed });
        call.owed = 0;
      }
    }
    this.#owed += cost;
    if (this.#owed * 2 >= this.setup.limits.session_credit) {
      this.send({ kind: KIND.CREDIT, id: 0, more: this.#owed });
      this.#owed = 0;
    }
  }

  // ---------------------------------------------------------------- what the link says

  /** So many bytes came, of whatever: the other side lives. */
  onLife(count) {
    this.keeper.read(count);
  }

  /** Bytes of frames came. */
  onBytes(bytes) {
    if (this.#isOver) {
      this.#discarded += bytes.length;
      if (this.#discarded > DISCARDED) this.link.destroy();
      return;
    }
    this.guard(() => {
      this.#unwhole += this.core.feed(bytes);
    });
    if (this.#isOver) return;
    this.keeper.frameUnderWay(this.core.inFrame);
    this.wake();
    this.#leaveIfIdle();
  }

  /** A WebSocket message of so many bytes has ended: it has to hold whole frames, at least one (WS-1). */
  onMessageEnd(size) {
    if (this.#isOver) return;
    const frames = this.#unwhole;
    this.#unwhole = 0;
    if (this.core.inFrame || frames === 0 || (frames > 1 && size > 65_536)) this.onFault('WS-1', 1002);
  }

  /** The link found something that breaks this clause; a WebSocket is closed with that code. */
  onFault(clause, closeCode) {
    this.fail(new SessionError(clause), closeCode);
  }

  onDrain() {
    this.#write();
    this.wake();
  }

  /** The other side writes nothing more; `orderly`: it said so, as LINK-6 asks. */
  onEnd(orderly) {
    this.guard(() => this.core.finish());
    if (!this.#isOver) {
      // who leaves in peace says so before (LEAVE-9)
      if (!orderly || !this.#leaving) this.#code = CODE.UNAVAILABLE;
      this.#over();
    }
  }

  onClose() {
    if (!this.#isOver) this.onEnd(false);
    this.keeper.stop();
    this.#end(this.#code);
  }

  /** Do something that may find a fault of the other side's, which ends the session. */
  guard(read) {
    if (this.#isOver) return;
    try {
      read();
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      this.fail(error);
    }
  }

  // ---------------------------------------------------------------- what the core has read

  #listener() {
    return {
      opened: () => {
        if (!this.core.isInitiator) this.#sendHello();
        this.keeper.opened();
      },
      auth: (frame, round) => this.judge.auth(frame, round),
      challenged: (frame) => this.caller.challenged(frame),
      accepted: () => this.caller.accepted(),
      call: (call, frame) => this.receiver.call(call, frame),
      terminal: (call, frame) => this.caller.terminal(call, frame),
      item: (call, frame) => this.#item(call, frame.body),
      ended: (call) => this.receiver.ended(call),
      cancelled: (call) => this.receiver.cancelled(call),
      credited: () => {},
      released: (reference) => this.references.released(reference),
      ping: (counter) => this.send({ kind: KIND.PONG, counter }),
      pong: () => this.#afterPong?.(),
      neverRan: (calls) => this.caller.neverRan(calls),
      goaway: (frame) => this.#goaway(frame),
    };
  }

  #item(call, body) {
    if (call === undefined) this.consumed(call, body, true); // CALL-13
    else if (this.calls.isMine(call.id)) this.caller.item(call, body);
    else this.receiver.item(call, body);
  }

  #goaway({ last, code }) {
    if (code === CODE.NONE) {
      this.#leaving = true;
      return;
    }
    this.#code = code;
    this.caller.lastRun = last;
    this.#over();
  }

  // ---------------------------------------------------------------- the end

  /** End the session because of an error (LEAVE-4). */
  fail(error, closeCode = 1000) {
    if (this.#isOver) return;
    this.#code = error.code;
    this.core.closed = true;
    this.#outbox.length = 0;
    const last = this.core.taken;
    this.link.write(encodeFrame({ kind: KIND.GOAWAY, last, code: error.code }));
    this.#over(closeCode);
  }

  /** Nothing more is written. What runs is cancelled, what waits fails; the link is read out and closed. */
  #over(closeCode = 1000) {
    this.#isOver = true;
    this.core.closed = true;
    this.keeper.stop();
    this.caller.sessionOver(this.#code);
    this.receiver.sessionOver();
    this.wake();
    this.link.halfClose(closeCode);
    this.link.destroyAfter(this.setup.bounds.farewell);
  }

  /** Leave in peace as soon as no call is open (LEAVE-9); resolves when the link is closed. */
  async leave() {
    this.#leaving = this.#wantsToLeave = true;
    this.wake();
    this.keeper.leaveBy(() => this.#leaveNow());
    if (this.core.isOpen) this.#leaveIfIdle();
    else this.#leaveNow();
    await this.ended;
  }

  /** Leave as LEAVE-3 says: nothing is refused at first, and the other side makes no more calls. */
  async drain() {
    this.keeper.leaveBy(() => this.#leaveNow());
    if (this.core.isOpen && !this.#left) {
      this.send({ kind: KIND.GOAWAY, last: BIGGEST, code: CODE.NONE });
      await this.#roundTrip();
      this.#finalGoaway();
    }
    await this.leave();
  }

  async #roundTrip() {
    const pong = () =>
      new Promise((resolve) => {
        this.#afterPong = resolve;
      });
    if (this.core.awaitsPong) await Promise.race([pong(), this.ended]); // that PING was sent before the GOAWAY
    this.ping();
    await Promise.race([pong(), this.ended]);
  }

  ping() {
    if (!this.core.awaitsPong) this.send({ kind: KIND.PING, counter: this.core.pings + 1 });
  }

  #finalGoaway() {
    if (this.#left || this.#isOver) return;
    this.#left = true;
    this.send({ kind: KIND.GOAWAY, last: Math.max(0, this.calls.theirLast), code: CODE.NONE });
  }

  /** The time for leaving is over, or there is nothing to wait for: what has no answer gets none. */
  #leaveNow() {
    if (this.core.isOpen) this.#finalGoaway();
    if (!this.#isOver) this.#over();
  }

  #leaveIfIdle() {
    if (!this.#leaving || this.#isOver || !this.core.isOpen || this.core.isJudging) return;
    // calls of this side may need callbacks (LEAVE-3); without any, the other side is told at once
    if (this.#wantsToLeave && this.calls.mine.size === 0) this.#finalGoaway();
    if (!this.calls.idle) return;
    this.#finalGoaway();
    if (this.#outbox.length === 0 && !this.#isOver) this.#over();
  }
}
