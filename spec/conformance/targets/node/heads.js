// Heads of CBOR (RFC 8949), written in their shortest form: the only one that headers and values may have.

export const UNSIGNED = 0;
export const NEGATIVE = 1;
export const BYTES = 2;
export const TEXT = 3;
export const ARRAY = 4;
export const MAP = 5;
export const TAG = 6;
export const SIMPLE = 7;

/** The head of an item: `argument` is a number or a BigInt from 0 to 2^64-1. */
export function head(major, argument) {
  const first = major << 5;
  if (argument < 24) return Buffer.of(first | Number(argument));
  if (argument < 0x100) return Buffer.of(first | 24, Number(argument));
  const bytes = Buffer.allocUnsafe(argument < 0x1_0000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9);
  if (bytes.length === 3) bytes.writeUInt16BE(Number(argument), 1);
  else if (bytes.length === 5) bytes.writeUInt32BE(Number(argument), 1);
  else bytes.writeBigUInt64BE(BigInt(argument), 1);
  bytes[0] = first | { 3: 25, 5: 26, 9: 27 }[bytes.length];
  return bytes;
}

/** The argument of a head that follows its first byte, as {argument, size}. `argument` is a BigInt if it takes 8 bytes.
 *
 * Undefined if the bytes end before it does. Whether the form was the shortest is `isShortest`'s matter.
 */
export function argumentAt(bytes, at, additional) {
  const size = 1 << (additional - 24);
  if (at + size > bytes.length) return undefined;
  if (size === 1) return { argument: bytes[at], size };
  if (size === 2) return { argument: bytes.readUInt16BE(at), size };
  if (size === 4) return { argument: bytes.readUInt32BE(at), size };
  return { argument: bytes.readBigUInt64BE(at), size };
}

const LEAST = { 1: 24, 2: 0x100, 4: 0x1_0000, 8: 0x1_0000_0000n };

/** Whether an argument that took so many bytes could not have taken fewer. */
export function isShortest(argument, size) {
  return argument >= LEAST[size];
}
