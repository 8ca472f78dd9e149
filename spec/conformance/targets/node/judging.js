// Who the other side is: proofs of the two schemes of the tests (TARGETS.md, "Credentials"), for a session by AUTH, or
// for one call by its credential. Nothing else gives an identity (AUTH-11).

import { CODE, CallError, KIND, ROUNDS, SessionError } from './standard.js';

const ONE_ROUND = 'conformance.test';
const ROUNDS_SCHEME = 'rounds.conformance.test';

/** All proofs that are valid, and what their subjects may do; shared by the sessions of a target. */
export class Trust {
  #subjects;

  /** `canary` is planted here: a secret that has no way to a link. */
  constructor({ anonymous, plain_proofs: plainProofs, proofs, canaries }) {
    this.anonymous = anonymous;
    this.plainProofs = plainProofs;
    this.canary = canaries.configuration;
    this.#subjects = new Map(proofs.map((known) => [`${known.scheme} ${known.proof}`, known]));
  }

  /** Who this proof proves, as {subject, may_call}; undefined for nobody. */
  subjectOf(scheme, proof) {
    return this.#subjects.get(`${scheme} ${proof.toString('hex')}`);
  }

  /** Whether proofs may cross a link (AUTH-10). */
  mayProve(link) {
    return this.plainProofs || link.isProtected;
  }
}

/** Judges the other side of one session. */
export class Judge {
  #session;
  #trust;
  #identity;
  #exchange; // of several rounds: {left, last, stop}

  constructor(session, { trust }) {
    this.#session = session;
    this.#trust = trust;
  }

  /** The subject of the other side in this session; undefined before it has proved one. */
  get subject() {
    return this.#identity?.subject;
  }

  /** The subject that makes a call of a name (steps 1 and 2 of CALL-11); undefined for anonymous callers. */
  callerOf(credential) {
    const identity = this.#identityOf(credential);
    if (identity === undefined && !this.#trust.anonymous) throw new CallError(CODE.UNAUTHENTICATED);
    if (identity !== undefined && !identity.may_call) throw new CallError(CODE.DENIED);
    return identity?.subject;
  }

  /** The same for a call on a reference: it is for the subject that it was given to, and for nobody else (REF-6). */
  holderOf(credential, givenTo) {
    const subject = this.#identityOf(credential)?.subject;
    if (subject !== givenTo) throw new CallError(CODE.DENIED);
    return subject;
  }

  #identityOf(credential) {
    if (credential === null) return this.#identity;
    const [scheme, proof] = credential;
    const mayBe = scheme === ONE_ROUND && this.#trust.mayProve(this.#session.link);
    const identity = mayBe ? this.#trust.subjectOf(scheme, proof) : undefined;
    if (identity === undefined) throw new CallError(CODE.UNAUTHENTICATED); // no falling back (AUTH-9)
    return identity;
  }

  /** An AUTH was read, the `round`-th of its exchange: accept it, ask for more, or refuse. */
  auth({ scheme, proof }, round) {
    if (!this.#trust.mayProve(this.#session.link)) this.#refuse('AUTH-10');
    if (round === 1) this.#begin(scheme, proof);
    else this.#goOn(scheme, proof, round);
  }

  #begin(scheme, proof) {
    const inRounds = scheme === ROUNDS_SCHEME;
    const identity = this.#known(scheme, inRounds ? proof.subarray(0, -1) : proof);
    const left = inRounds ? proof.at(-1) : 0;
    if (left === 0) return this.#accept(identity);
    this.#exchange = { left, scheme, stop: this.#session.keeper.exchange() };
    return this.#challenge(1);
  }

  #goOn(scheme, proof, round) {
    const exchange = this.#exchange;
    if (scheme !== exchange.scheme) this.#refuse('AUTH-5');
    const identity = this.#known(scheme, proof);
    if (exchange.left > 0) return this.#challenge(round);
    exchange.stop();
    return this.#accept(identity);
  }

  #challenge(round) {
    if (round >= ROUNDS) this.#refuse('AUTH-3');
    const left = --this.#exchange.left;
    this.#session.send({ kind: KIND.CHALLENGE, data: Buffer.of(left) });
  }

  #known(scheme, proof) {
    const isScheme = scheme === ONE_ROUND || scheme === ROUNDS_SCHEME;
    const identity = isScheme ? this.#trust.subjectOf(scheme, proof) : undefined;
    if (identity === undefined) this.#refuse('AUTH-5');
    const before = this.#identity?.subject ?? identity.subject;
    if (before !== identity.subject) this.#refuse('AUTH-7');
    return identity;
  }

  #accept(identity) {
    this.#identity = identity;
    this.#session.send({ kind: KIND.ACCEPTED });
  }

  #refuse(clause) {
    throw new SessionError(clause, CODE.UNAUTHENTICATED);
  }
}
