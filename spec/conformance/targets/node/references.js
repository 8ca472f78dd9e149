// References (section 10) of one session: those that this side has given, and those of the other side that it holds.

import { randomBytes } from 'node:crypto';

import { KIND, SessionError, ValueRefused } from './standard.js';
import { decodeValue, encodeValue, isReference } from './values.js';

/** A reference of the other side, for as long as this side holds it. */
export class Remote {
  #session;
  kept = false; // beyond the call that it came with

  constructor(session, id) {
    this.#session = session;
    this.id = id;
  }

  /** Call what stands behind it; the result. Raises CallError, or the reason of the signal if that is aborted.
   *
   * The first argument is who calls: {signal, deadline, trace, session}; the session is that of a handler, which does
   * not wait where this one takes no more calls.
   */
  async call({ signal, deadline, trace, session }, positional) {
    let outgoing;
    const giveUp = () => {
      this.#session.wake();
      outgoing?.settle(undefined, signal.reason);
      outgoing?.cancel();
    };
    signal.addEventListener('abort', giveUp);
    try {
      outgoing = await this.#session.caller.begin({
        target: [this.id, ''], shape: 0, positional, deadline, signal, trace: trace && continued(trace),
        patient: session !== this.#session,
      });
      return await outgoing.terminal;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  release() {
    this.#session.references.release(this);
  }
}

export class References {
  #session;
  #last;
  #given = new Map(); // by id: {callable, subject}
  #held = new Map(); // by id: Remote

  constructor(session) {
    this.#session = session;
    this.#last = session.core.isInitiator ? -1 : 0;
  }

  // ---------------------------------------------------------------- those of this side

  /** The body for a value, and the references in it as {id, callable}: they begin when they are `gave`. */
  encode(value) {
    const given = [];
    const give = (callable) => {
      const id = this.#last + 2 * (given.length + 1);
      given.push({ id, callable });
      return id;
    };
    return { body: encodeValue(value, give), given };
  }

  /** A body with these references is sent, to this subject (REF-6). */
  gave(given, subject) {
    for (const { id, callable } of given) {
      this.#last = id;
      this.#given.set(id, { callable, subject });
    }
  }

  /** What stands behind a reference that is called: {callable, subject}. Raises SessionError. */
  find(id) {
    return this.#given.get(id) ?? fail('REF-3');
  }

  released(id) {
    if (!this.#given.delete(id)) fail('REF-2');
  }

  /** The call that carried these has ended by an ERROR (REF-4). */
  forget(given) {
    for (const { id } of given) this.#given.delete(id);
  }

  // ---------------------------------------------------------------- those of the other side

  /** Raises SessionError where references in one body can't be what the other side gives (REF-1). */
  check(ids) {
    const { calls } = this.#session;
    const isWrong = (id, index) => calls.isMine(id) || this.#held.has(id) || ids.indexOf(id) !== index;
    if (ids.some(isWrong)) fail('REF-1');
  }

  /** Hold what a value is a reference to, if it is one; the Remote, or the value. */
  hold(value) {
    if (!isReference(value)) return value;
    const remote = new Remote(this.#session, Number(value.content));
    this.#held.set(remote.id, remote);
    return remote;
  }

  release(remote) {
    if (this.#held.delete(remote.id)) this.#session.send({ kind: KIND.RELEASE, reference: remote.id });
  }

  /** The call that they came with has ended: by an ERROR, which ends them (REF-4), or not. */
  callEnded(remotes, failed) {
    for (const remote of remotes) {
      if (failed) this.#held.delete(remote.id);
      else if (!remote.kept) this.release(remote);
    }
  }

  /** Nobody is shown this body: release what is in it (REF-5). */
  discard(body) {
    if (!body.includes(REFERENCE_HEAD)) return;
    let found;
    try {
      found = decodeValue(body);
    } catch (error) {
      if (!(error instanceof ValueRefused)) throw error;
      return;
    }
    this.check(found.references);
    for (const reference of found.references) this.#session.send({ kind: KIND.RELEASE, reference });
  }
}

// The head of tag 41991: where these bytes are not there is no reference, and nothing needs to be decoded.
const REFERENCE_HEAD = Buffer.from('d9a407', 'hex');

/** The traceparent of a call that is made for one with this traceparent (CTX-3). */
const continued = ([trace, , flags]) => [trace, randomBytes(8), flags];

function fail(clause) {
  throw new SessionError(clause);
}
