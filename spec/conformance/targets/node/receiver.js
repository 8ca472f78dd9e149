// Calls that the other side makes: the steps of CALL-11, the user's code, and exactly one terminal for each.

import { randomBytes } from 'node:crypto';

import { badArguments, bind, decodeArguments } from './arguments.js';
import { Items } from './items.js';
import { CLIENT_STREAM, CODE, CallError, KIND, SessionError, ValueRefused } from './standard.js';
import { decodeValue, encodeValue, isReference } from './values.js';

/** An exception that a method declares: it crosses the link with its name, message and fields (a Map). */
export class Declared extends Error {
  constructor(name, message, fields, cause) {
    super(message, { cause });
    this.name = name;
    this.fields = fields;
  }
}

/** One call that is running. `signal` is aborted, with a CallError as its reason, when it is to end early. */
class Running {
  #abort = new AbortController();
  deadline; // of performance.now(), if it has one
  remotes = []; // references that came with the arguments
  trace; // its traceparent, if it has one
  subject; // who calls; undefined: nobody in particular

  constructor(call, session) {
    this.call = call;
    this.signal = this.#abort.signal;
    this.items = new Items((body, dropped) => session.consumed(call, body, dropped));
    this.session = session;
    if (!(call.shape & CLIENT_STREAM)) this.items.end();
  }

  abort(code) {
    this.#abort.abort(new CallError(code));
    this.items.wake();
    this.session.wake();
  }
}

export class Receiver {
  #session;
  #service;
  #running = new Map();

  constructor(session, { service }) {
    this.#session = session;
    this.#service = service;
  }

  /** How many calls run. */
  get count() {
    return this.#running.size;
  }

  // ---------------------------------------------------------------- what is read

  /** A CALL that broke no rule. Everything up to the user's code is done at once; raises SessionError (REF-1). */
  call(call, frame) {
    const running = new Running(call, this.#session);
    this.#running.set(call.id, running);
    try {
      const [method, given] = this.#prepare(running, frame);
      const remaining = frame.context?.get(1);
      running.trace = frame.context?.get(2);
      if (remaining !== undefined) this.#setDeadline(running, call.readAt + remaining);
      if (call.cancelled) running.abort(CODE.CANCELLED); // while it was held
      running.signal.throwIfAborted();
      const held = given.map((value) => this.#session.references.hold(value));
      running.remotes = held.filter((value, index) => value !== given[index]);
      this.#run(running, method, held);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#answer(running, error);
    }
  }

  #prepare(running, { credential, target, shape, body }) {
    const method = Array.isArray(target)
      ? this.#givenMethod(running, credential, target)
      : this.#namedMethod(running, credential, target);
    if (method === undefined) throw new CallError(CODE.UNKNOWN_TARGET);
    if (method.shape !== shape) throw badArguments('shape');
    const { positional, named, references } = orRefused(() => decodeArguments(body), '');
    this.#session.references.check(references);
    const given = bind(method.parameters, positional, named);
    // a reference may stand where a parameter asks for one, and nowhere inside another value
    if (references.length > given.filter(isReference).length) throw badArguments('');
    return [method, given];
  }

  #namedMethod(running, credential, target) {
    running.subject = this.#session.judge.callerOf(credential);
    // who comes as far as this may call everything, and so may see it (DESCRIBE-2)
    return this.#service.find(target);
  }

  #givenMethod(running, credential, [id, name]) {
    const { callable, subject } = this.#session.references.find(id);
    running.subject = this.#session.judge.holderOf(credential, subject);
    return callable.withdrawn || name !== '' ? undefined : this.#service.callable(callable);
  }

  #setDeadline(running, deadline) {
    running.deadline = deadline;
    const milliseconds = deadline - performance.now();
    if (milliseconds <= 0) running.abort(CODE.DEADLINE_EXCEEDED);
    else running.timer = setTimeout(() => running.abort(CODE.DEADLINE_EXCEEDED), milliseconds);
  }

  item(call, body) {
    const running = this.#running.get(call.id);
    if (running === undefined) this.#session.consumed(call, body, true); // STREAM-4
    else running.items.push(body);
  }

  ended(call) {
    this.#running.get(call.id)?.items.end();
  }

  cancelled(call) {
    const running = this.#running.get(call.id);
    running?.items.drop();
    running?.abort(CODE.CANCELLED);
  }

  sessionOver() {
    for (const running of this.#running.values()) running.abort(CODE.CANCELLED);
  }

  // ---------------------------------------------------------------- the user's code

  async #run(running, method, given) {
    let outcome;
    try {
      const { signal } = running;
      const context = {
        signal,
        running,
        items: this.#itemsOf(running, method.items),
        send: (value) => this.#sendItem(running, value),
      };
      outcome = { value: (await method.run(given, context)) ?? null };
    } catch (error) {
      outcome = error;
    }
    // CANCEL-4: only here has the user's code ended
    if (outcome instanceof SessionError) this.#session.fail(outcome); // a wrong reference in an item
    if (this.#session.isOver) this.#forget(running);
    else this.#answer(running, outcome);
  }

  async *#itemsOf(running, type) {
    for (let index = 0; ; index++) {
      const body = await running.items.next(running.signal);
      if (body === undefined) return;
      const path = `items[${index}]`;
      const { value, references } = orRefused(() => decodeValue(body), path);
      this.#session.references.check(references);
      if (references.length > 0) throw badArguments(path);
      const item = type.take(value);
      if (item === undefined) throw badArguments(path);
      yield item;
    }
  }

  async #sendItem({ call, signal }, value) {
    const session = this.#session;
    const frame = { kind: KIND.ITEM, id: call.id, body: encodeValue(value) };
    if (!session.fits(frame)) throw new CallError(CODE.TOO_LARGE);
    while (!session.calls.mayItem(call) || session.isFull) {
      signal.throwIfAborted();
      await session.changed();
    }
    signal.throwIfAborted();
    session.send(frame);
  }

  // ---------------------------------------------------------------- the terminal

  #answer(running, outcome) {
    const { call } = running;
    const { references } = this.#session;
    let { frame, given = [] } = this.#terminal(call.id, outcome);
    if (!this.#session.fits(frame)) [frame, given] = [errorFrame(call.id, CODE.TOO_LARGE), []];
    this.#forget(running);
    references.callEnded(running.remotes, frame.kind === KIND.ERROR);
    references.gave(given, running.subject);
    this.#session.send(frame, () => this.#session.calls.wrote(call));
    running.items.drop(); // behind the terminal, so that no credit is given for a stream that has ended with it
  }

  #forget(running) {
    clearTimeout(running.timer);
    this.#running.delete(running.call.id);
  }

  /** The frame, and the references that it gives. */
  #terminal(id, outcome) {
    try {
      if (!(outcome instanceof Error)) {
        const { body, given } = this.#session.references.encode(outcome.value);
        return { frame: { kind: KIND.RESULT, id, body }, given };
      }
      if (outcome instanceof CallError) return { frame: errorFrame(id, outcome.code, outcome.body) };
      if (outcome instanceof Declared) {
        const { name, message, fields } = outcome;
        return { frame: errorFrame(id, CODE.APPLICATION, encodeValue([name, message, fields])) };
      }
      return { frame: this.#internal(id, outcome) };
    } catch (error) {
      return { frame: this.#internal(id, error) }; // what can't be encoded is the method's fault
    }
  }

  /** ERROR internal has a number and not a word; the words are in the log, under that number (ERR-4). */
  #internal(id, error) {
    const number = randomBytes(8);
    this.#service.log(`${number.toString('hex')}: ${error.stack}`);
    return errorFrame(id, CODE.INTERNAL, encodeValue(number));
  }
}

function errorFrame(id, code, body = null) {
  return { kind: KIND.ERROR, id, code, body };
}

function orRefused(decode, path) {
  try {
    return decode();
  } catch (error) {
    throw error instanceof ValueRefused ? badArguments(path) : error;
  }
}
