// The target as an acceptor: it listens on the links that were asked for, and obeys (TARGETS.md, "Commands").

import { say } from './lines.js';
import { listen } from './links/listen.js';
import { Session } from './session.js';

/** Serve until the lines end, or say `stop`. */
export async function accept(opening, setup, lines) {
  const sessions = new Set();
  let drained;
  const opened = async (link) => {
    const session = new Session(link, 'acceptor', setup);
    sessions.add(session);
    if (drained !== undefined) session.drain(); // it was on its way
    await session.ended;
    sessions.delete(session);
  };
  const { tls: files, directory, origins, bounds } = opening;
  const listeners = new Map();
  for (const name of opening.links) {
    listeners.set(name, await listen(name, { directory, files, origins, seconds: bounds.handshake }, opened));
  }
  const drainAll = () => {
    for (const listener of listeners.values()) listener.close();
    return Promise.all([...sessions].map((session) => session.drain()));
  };
  const drain = () => (drained ??= drainAll());
  const listening = Object.fromEntries([...listeners].map(([name, { url }]) => [name, url]));
  say({ ready: true, listening, name: setup.name, implements: setup.implements });
  for await (const { command } of lines) {
    if (command === 'report') {
      const calls = [...sessions].reduce((sum, { receiver }) => sum + receiver.count, 0);
      say({ report: { sessions: sessions.size, calls } });
    } else if (command === 'drain') {
      drain().then(() => say({ drained: true }));
    } else if (command === 'stop') {
      await drain();
      return;
    }
  }
}
