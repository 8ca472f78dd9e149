// The launch protocol's lines: one JSON object each, on standard input and output.

import readline from 'node:readline';

export function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** The lines that come, until standard input ends. */
export async function* lines() {
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    yield JSON.parse(line);
  }
}
