// The bounds of time of a session: for HELLO (HELLO-10), for an exchange (AUTH-5), for silence (KEEP-3), for a frame
// that does not get on (KEEP-4), for leaving.

import { CODE, SessionError } from './standard.js';

const SLOWEST = 1_024; // bytes a second that a frame under way has to grow by

export class Keeper {
  #session;
  #bounds;
  #idleTime;
  #timers = new Set();
  #lastRead = performance.now();
  #lastWrote = performance.now();
  #slowTimer;
  #grown = 0;
  #opening;
  #leaving;

  constructor(session, { bounds, limits }) {
    this.#session = session;
    this.#bounds = bounds;
    this.#idleTime = limits.idle_time;
    this.#opening = this.#after(bounds.opening * 1_000, () => this.#fail('HELLO-10', CODE.UNAVAILABLE));
  }

  #after(milliseconds, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, milliseconds);
    this.#timers.add(timer);
    return timer;
  }

  #fail(clause, code) {
    this.#session.fail(new SessionError(clause, code));
  }

  /** The other side's HELLO was read: the idle time begins, and that of the other side has to be kept, too. */
  opened() {
    clearTimeout(this.#opening);
    this.#watchIdle();
    this.#keepAlive();
  }

  #watchIdle() {
    const left = this.#lastRead + this.#idleTime - performance.now();
    if (left <= 0) this.#fail('KEEP-3', CODE.UNAVAILABLE);
    else this.#after(left, () => this.#watchIdle());
  }

  #keepAlive() {
    const third = this.#session.calls.theirLimits.idle_time / 3;
    const left = this.#lastWrote + third - performance.now();
    if (left <= 0) this.#session.ping();
    this.#after(left <= 0 ? third : left, () => this.#keepAlive());
  }

  read(count) {
    this.#lastRead = performance.now();
    this.#grown += count;
  }

  wrote() {
    this.#lastWrote = performance.now();
  }

  /** Whether a frame has begun and is not complete: from then on it has to grow. */
  frameUnderWay(isUnderWay) {
    if (!isUnderWay) {
      clearTimeout(this.#slowTimer);
      this.#slowTimer = undefined;
    } else if (this.#slowTimer === undefined) this.#watchFrame();
  }

  #watchFrame() {
    this.#grown = 0;
    this.#slowTimer = this.#after(this.#bounds.slow * 1_000, () => {
      if (this.#grown < this.#bounds.slow * SLOWEST) this.#fail('KEEP-4', CODE.PROTOCOL);
      else this.#watchFrame();
    });
  }

  /** A verdict on the other side's proofs is due in time (AUTH-5); returns what stops the clock. */
  exchange() {
    const timer = this.#after(this.#bounds.opening * 1_000, () => this.#fail('AUTH-5', CODE.UNAUTHENTICATED));
    return () => clearTimeout(timer);
  }

  /** What is to be done when the time for leaving in peace is over; it begins with the first wish to leave. */
  leaveBy(act) {
    this.#leaving ??= this.#after(this.#bounds.drain * 1_000, act);
  }

  stop() {
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#slowTimer);
    this.#timers.clear();
  }
}
