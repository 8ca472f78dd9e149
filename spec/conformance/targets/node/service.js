// The interface `Conformance` that every target hosts (TARGETS.md). Integers are BigInt here, as in values.js.

import { any, bytes, float, integer, nothing, orNull, record, reference, text } from './arguments.js';
import { describe, metadataOf } from './describing.js';
import { Declared } from './receiver.js';
import { CLIENT_STREAM, CODE, CallError, SERVER_STREAM } from './standard.js';
import { Callable } from './values.js';

const LARGEST_RESULT = 2 ** 26; // bytes that `zeros` makes at the most: more than any frame holds, and no danger
const BOTH = SERVER_STREAM | CLIENT_STREAM;
const INTERFACE = 'Conformance';
const USUAL = { shape: 0, parameters: [], items: null, gives: nothing, raises: [] };

/** Numbers by key, which sessions share. */
class Counters extends Map {
  add(key, more = 1n) {
    this.set(key, this.of(key) + more);
    return this.of(key);
  }

  of(key) {
    return this.get(key) ?? 0n;
  }
}

const counted = new Counters();
const running = new Counters();
const cancelled = new Counters();
const kept = new Map(); // references of the other side, by key
const given = new Map(); // callables of this side, by key

/** Count a call with this key while `run` goes on, and whether it was cancelled. */
async function during(key, signal, run) {
  running.add(key);
  try {
    return await run();
  } finally {
    running.add(key, -1n);
    if (signal.aborted) cancelled.add(key);
  }
}

function forEver(signal) {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

async function linger([key, seconds], { signal }) {
  return during(key, signal, async () => {
    try {
      return await forEver(signal);
    } finally {
      await pause(seconds);
    }
  });
}

async function produce([count, size], { send }) {
  for (let index = 0n; index < count; index++) await send(zeros(size));
}

async function endless([key, size], { send, signal }) {
  return during(key, signal, async () => {
    for (;;) await send(zeros(size));
  });
}

function zeros(count) {
  return Buffer.alloc(Number(count < LARGEST_RESULT ? count : LARGEST_RESULT));
}

async function sum(_, { items }) {
  let found = 0n;
  for await (const item of items) found += item;
  return found;
}

async function total(_, { items }) {
  let found = 0n;
  for await (const item of items) found += BigInt(item.length);
  return found;
}

async function first(_, { items }) {
  for await (const item of items) return item;
  return null;
}

async function each(_, { items, send }) {
  for await (const item of items) await send(item);
}

async function breaks([count], { send }, crash) {
  for (let number = 1n; number <= count; number++) await send(number);
  crash();
}

/** Call a reference for the call that is `running`. What becomes of it is no outcome of this call, but a failure of it:
 * its codes say that no user code ran, and some has.
 */
async function callOn(remote, value, running) {
  try {
    return await remote.call(running, [value]);
  } catch (error) {
    running.signal.throwIfAborted();
    if (performance.now() >= running.deadline) throw new CallError(CODE.DEADLINE_EXCEEDED);
    throw new Error(`the call of the reference failed: ${error.message}`);
  }
}

function keep([name, remote]) {
  remote.kept = true;
  kept.set(name, remote);
}

function letGo([name]) {
  kept.get(name).release();
  kept.delete(name);
}

function give([name]) {
  const callable = new Callable((value) => {
    counted.add(name);
    return value;
  });
  given.set(name, [...(given.get(name) ?? []), callable]);
  return callable;
}

function withdraw([name]) {
  for (const callable of given.get(name) ?? []) callable.withdrawn = true;
  given.delete(name);
}

const parameter = (name, type, ...more) => ({ name, type, ...(more.length ? { default: more[0] } : {}) });
const value = (type) => [parameter('value', type)];
const key = parameter('key', text);
const aReference = parameter('reference', reference);

/** The service that a session hosts: `find` gives a method by its target, `callable` that behind a reference; `log`
 * writes to standard error.
 */
export function makeService(canaries) {
  const crash = () => {
    throw new Error(canaries.exception);
  };
  const note = record('Note', [
    { name: 'id', type: integer, needed: true },
    { name: 'note', type: orNull(text), needed: false },
  ]);
  const same = ([given]) => given;
  // a method is {shape, parameters, items, gives, run}: unary, without parameters, and giving null, unless it says
  // otherwise; `gives` is the type of the items of a server stream, or else of the result
  const methods = {
    echo: { parameters: value(any), gives: any, run: same },
    integer: { parameters: value(integer), gives: integer, run: same },
    number: { parameters: value(float), gives: float, run: same },
    text: { parameters: value(text), gives: text, run: same },
    record: { parameters: value(note), gives: note, run: same },
    add: {
      parameters: [parameter('a', integer), parameter('b', integer, 1n)],
      gives: integer,
      run: ([a, b]) => a + b,
    },
    default: {
      parameters: [parameter('value', text, canaries.default)],
      gives: integer,
      run: ([sent]) => BigInt([...sent].length), // characters, and not halves of surrogate pairs
    },
    size: { parameters: value(bytes), gives: integer, run: ([sent]) => BigInt(sent.length) },
    zeros: { parameters: [parameter('count', integer)], gives: bytes, run: ([count]) => zeros(count) },
    produce: {
      shape: SERVER_STREAM,
      parameters: [parameter('count', integer), parameter('size', integer)],
      gives: bytes,
      run: produce,
    },
    endless: { shape: SERVER_STREAM, parameters: [key, parameter('size', integer)], gives: bytes, run: endless },
    sum: { shape: CLIENT_STREAM, items: integer, gives: integer, run: sum },
    total: { shape: CLIENT_STREAM, items: bytes, gives: integer, run: total },
    first: { shape: CLIENT_STREAM, items: any, gives: any, run: first },
    each: { shape: BOTH, items: any, gives: any, run: each },
    hold: {
      shape: CLIENT_STREAM,
      parameters: [key],
      items: any,
      run: ([name], { signal }) => during(name, signal, () => forEver(signal)),
    },
    count: { parameters: [key], gives: integer, run: ([name]) => counted.add(name) },
    counted: { parameters: [key], gives: integer, run: ([name]) => counted.of(name) },
    wait: { parameters: [key], run: ([name], { signal }) => during(name, signal, () => forEver(signal)) },
    linger: { parameters: [key, parameter('seconds', float)], run: linger },
    running: { parameters: [key], gives: integer, run: ([name]) => running.of(name) },
    cancelled: { parameters: [key], gives: integer, run: ([name]) => cancelled.of(name) },
    fail: {
      parameters: [parameter('text', text), parameter('number', integer)],
      raises: ['Refused'],
      run: ([message, number]) => {
        throw new Declared('Refused', message, new Map([['number', number]]), new Error(canaries.cause));
      },
    },
    crash: { run: crash },
    breaks: {
      shape: SERVER_STREAM,
      parameters: [parameter('count', integer)],
      gives: integer,
      run: (values, context) => breaks(values, context, crash),
    },
    call_back: {
      parameters: [aReference, parameter('value', any)],
      gives: any,
      run: ([remote, sent], { running: call }) => callOn(remote, sent, call),
    },
    keep: { parameters: [key, aReference], run: keep },
    call_kept: {
      parameters: [key, parameter('value', any)],
      gives: any,
      run: ([name, sent], { running: call }) => callOn(kept.get(name), sent, call),
    },
    let_go: { parameters: [key], run: letGo },
    give: { parameters: [key], gives: any, run: give },
    withdraw: { parameters: [key], run: withdraw },
  };
  const hosted = new Map(Object.entries(methods).map(([name, method]) => [name, { ...USUAL, ...method }]));
  const byTarget = new Map([...hosted].map(([name, method]) => [`${INTERFACE}.${name}`, method]));
  const exceptions = [{ name: 'Refused', fields: [{ name: 'number', type: integer }] }];
  byTarget.set('graftwire.describe', describe(metadataOf(INTERFACE, hosted, exceptions, [note])));
  return {
    find: (target) => byTarget.get(target),
    /** What is called by a reference: it takes one argument, whatever that is. */
    callable: ({ run }) => ({ ...USUAL, parameters: value(any), gives: any, run: ([sent]) => run(sent) }),
    log: (words) => process.stderr.write(`${words} (${canaries.log})\n`),
  };
}
