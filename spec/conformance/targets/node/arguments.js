// The body of a CALL (CALL-10), and how its arguments fit the parameters of a method. What does not fit is told by its
// path (section 11): it names parameters, and never a value.

import { CODE, CallError, ValueRefused } from './standard.js';
import { decodeValue, encodeValue, isReference } from './values.js';

/** The ERROR bad-arguments for what stands at this path. */
export function badArguments(path) {
  return new CallError(CODE.BAD_ARGUMENTS, encodeValue(path));
}

/** What the body of a CALL holds: {positional, named, references}. Raises ValueRefused. */
export function decodeArguments(body) {
  const { value, references } = decodeValue(body);
  const [positional, named] = Array.isArray(value) && value.length === 2 ? value : [];
  const keysAreTexts = named instanceof Map && [...named.keys()].every((key) => typeof key === 'string');
  if (!Array.isArray(positional) || !keysAreTexts) throw new ValueRefused('CALL-10');
  return { positional, named, references };
}

/** The arguments in the order of the parameters, each as its type takes it. Raises CallError.
 *
 * A parameter is {name, type, default}; it is needed unless it has a default. A type is {take, metadata}: `take` gives
 * the value that the method gets, or undefined for one that is not of the type; `metadata` is META-7.
 */
export function bind(parameters, positional, named) {
  if (positional.length > parameters.length) throw badArguments(`arguments[${parameters.length}]`);
  const known = parameters.map(({ name }) => name);
  if ([...named.keys()].some((name) => !known.includes(name))) throw badArguments('arguments');
  return parameters.map((parameter, index) => {
    const byPosition = index < positional.length;
    const byName = named.has(parameter.name);
    const path = byPosition && !byName ? `arguments[${index}]` : `arguments.${parameter.name}`;
    if (byPosition && byName) throw badArguments(path);
    if (!byPosition && !byName) {
      if (!('default' in parameter)) throw badArguments(path);
      return parameter.default;
    }
    const value = parameter.type.take(byPosition ? positional[index] : named.get(parameter.name));
    if (value === undefined) throw badArguments(path);
    return value;
  });
}

// ---------------------------------------------------------------- types (VAL-21): no change of type in silence

const type = (metadata, take) => ({ metadata, take });

export const any = type(0n, (value) => (isReference(value) ? undefined : value));
export const nothing = type(1n, (value) => (value === null ? value : undefined));
export const integer = type(3n, (value) => (typeof value === 'bigint' ? value : undefined));
export const text = type(5n, (value) => (typeof value === 'string' ? value : undefined));
export const bytes = type(6n, (value) => (Buffer.isBuffer(value) ? value : undefined));
export const reference = type(13n, (value) => (isReference(value) ? value : undefined));

/** An integer is taken for a float if the float holds it exactly. */
export const float = type(4n, (value) => {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' && BigInt(Number(value)) === value ? Number(value) : undefined;
});

/** A record: a map with these fields, each {name, type, needed}. It drops others (META-2: it is not closed). */
export function record(name, fields) {
  const take = (value) => {
    if (!(value instanceof Map)) return undefined;
    const found = new Map();
    for (const field of fields) {
      const given = value.has(field.name) ? field.type.take(value.get(field.name)) : undefined;
      if (given !== undefined) found.set(field.name, given);
      else if (field.needed || value.has(field.name)) return undefined;
    }
    return found;
  };
  return { ...type([18n, name], take), name, fields };
}

export const orNull = (other) =>
  type([21n, [1n, other.metadata]], (value) => (value === null ? null : other.take(value)));
