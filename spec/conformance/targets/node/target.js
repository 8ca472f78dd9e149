// The program: node target.js, started by the conformance suite. It reads the opening from standard input (TARGETS.md)
// and is what it says.

import { readFileSync } from 'node:fs';

import { accept } from './acceptor.js';
import { initiate } from './initiator.js';
import { Trust } from './judging.js';
import { lines, say } from './lines.js';
import { makeService } from './service.js';

const PROTOCOL = 'graftwire-conformance/1';

const come = lines();
const { value: opening } = await come.next();
if (opening === undefined) {
  console.error('The target reads its opening from standard input: graftwire conform -- node target.js');
  process.exit(2);
}
if (opening.protocol !== PROTOCOL) {
  say({ unable: `this target speaks ${PROTOCOL}` });
  process.exit(0);
}
const setup = {
  ...JSON.parse(readFileSync(new URL('implements.json', import.meta.url), 'utf8')),
  limits: opening.limits,
  bounds: opening.bounds,
  trust: new Trust(opening),
  service: makeService(opening.canaries),
};
await (opening.role === 'acceptor' ? accept : initiate)(opening, setup, come);
process.exit(0);
