// The target as an initiator: it dials where it is told to, and does what it is asked for (TARGETS.md, "Activities").

import { say } from './lines.js';
import { UrlRefused, dial } from './links/dial.js';
import { Remote } from './references.js';
import { Session } from './session.js';
import { CLIENT_STREAM, CODE_NAMES, CallError, SERVER_STREAM } from './standard.js';
import { Callable, decodeValue, encodeValue } from './values.js';

const SHAPES = {
  call: 0, callback: 0, reference: 0, stream: SERVER_STREAM, upload: CLIENT_STREAM,
  exchange: SERVER_STREAM | CLIENT_STREAM,
};

const decoded = (hex) => decodeValue(Buffer.from(hex, 'hex')).value;
const encoded = (value) => encodeValue(value).toString('hex');
const nameOf = ({ code, ran }) => ({ code: CODE_NAMES[code], ran });

/** Answer activities until the lines end, or say `stop`. */
export async function initiate(opening, setup, lines) {
  const leaving = new Map(); // what ends an activity, by its id
  say({ ready: true, name: setup.name, implements: setup.implements });
  for await (const asked of lines) {
    if (asked.command === 'stop') return;
    if (asked.leave) leaving.get(asked.id)?.();
    else {
      const left = new Promise((resolve) => leaving.set(asked.id, resolve));
      answer(asked, opening, setup, left).then((told) => {
        leaving.delete(asked.id);
        say({ id: asked.id, ...told });
      });
    }
  }
}

async function answer(asked, opening, setup, left) {
  let link;
  try {
    link = await dial(asked.dial, {
      authority: opening.tls.authority, origin: asked.origin ?? undefined, seconds: opening.bounds.handshake,
    });
  } catch (error) {
    return { outcome: error instanceof UrlRefused ? 'refused' : 'no-link' };
  }
  const session = new Session(link, 'initiator', setup);
  let told = { outcome: 'ended', code: 'none' }; // where it is left before it is done
  const done = async () => {
    told = await doIt(asked, session);
    if (asked.stay) await session.ended;
  };
  await Promise.race([left, done()]);
  await session.leave();
  return told;
}

async function doIt(line, session) {
  const asked = { arguments: '80', items: [], times: 1, then: [], ...line };
  try {
    if (asked.auth) await session.caller.prove(proofOf(asked.auth));
    return await activity(asked, session);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { outcome: 'error', ...nameOf(error) };
  }
}

const proofOf = ({ scheme, proof }) => ({ scheme, proof: Buffer.from(proof, 'hex') });

async function activity(asked, session) {
  if (asked.do === 'hold') return { outcome: 'ended', code: CODE_NAMES[await session.ended] };
  while (!session.core.isOpen && !session.isOver) await session.changed();
  if (asked.do === 'leave') {
    await session.leave();
    return { outcome: 'ended', code: CODE_NAMES[await session.ended] };
  }
  if (!(asked.do in SHAPES)) return { outcome: 'unable', why: 'there is no such activity' };
  if (asked.times === 1) return makeCall(asked, session);
  const calls = Array.from({ length: asked.times }, () => makeCall(asked, session));
  return { outcome: 'several', outcomes: await Promise.all(calls) };
}

/** Make the call of an activity, whatever its streams; what came of it. */
async function makeCall(asked, session) {
  const items = [];
  const givenUp = new AbortController();
  const giveUp = () => {
    givenUp.abort();
    session.wake();
  };
  const timer = asked.cancel_after != null && setTimeout(giveUp, asked.cancel_after * 1_000);
  const aborted = new Promise((resolve) => {
    givenUp.signal.addEventListener('abort', () => resolve({ outcome: 'cancelled', items }));
  });
  let call;
  let called = 0;
  const callback = new Callable((value) => {
    called++;
    return value;
  });
  const made = async () => {
    call = await session.caller.begin(requestOf(asked, givenUp.signal, callback));
    const sends = asked.do === 'upload' || asked.do === 'exchange';
    const most = asked.do === 'stream' ? asked.take ?? Infinity : Infinity;
    const [isWhole] = await Promise.all([take(call, session, most, items), sends && upload(call, asked.items)]);
    if (!isWhole) return { outcome: 'cancelled', items };
    let value = await call.terminal;
    if (value instanceof Remote) value = await callOn(value, asked.then, givenUp.signal);
    return { outcome: 'result', value: encoded(value), items, called };
  };
  try {
    return await Promise.race([aborted, made()]);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { outcome: 'error', ...nameOf(error), items, called };
  } finally {
    clearTimeout(timer);
    call?.cancel(); // does nothing to a call that is closed
  }
}

/** Call a reference with each of these arguments, and release it; the last result. */
async function callOn(remote, then, signal) {
  let value = null;
  try {
    for (const each of then) value = await remote.call({ signal }, decoded(each));
  } finally {
    remote.release();
  }
  return value;
}

function requestOf(asked, signal, callback) {
  const { trace, deadline, credential } = asked;
  const positional = decoded(asked.arguments);
  return {
    signal,
    takesReference: asked.do === 'reference',
    target: asked.target,
    shape: SHAPES[asked.do],
    positional: asked.do === 'callback' ? [callback, ...positional] : positional,
    deadline: deadline == null ? undefined : performance.now() + deadline * 1_000,
    trace: trace && [Buffer.from(trace.trace_id, 'hex'), Buffer.from(trace.parent_id, 'hex'), trace.flags],
    credential: credential && Object.values(proofOf(credential)),
  };
}

/** Send the items, and end the stream; sooner where the answer comes before. */
async function upload(call, items) {
  for (const item of items) if (!(await call.send(decoded(item)))) break;
  call.end();
}

/** Read the items of a server stream; false where `most` of them came, and the rest is not wanted. */
async function take(call, session, most, items) {
  while (items.length < most) {
    const body = await call.items.next();
    if (body === undefined) return true;
    items.push(encoded(session.caller.plainValue(body)));
  }
  return false;
}
