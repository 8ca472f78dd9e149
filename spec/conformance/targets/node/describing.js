// graftwire.describe (section 7.3): the metadata of the interface, in the form that METADATA.md gives it.

import { createHash } from 'node:crypto';

import { any, bytes, orNull } from './arguments.js';
import { encodeValue } from './values.js';

const FORMAT = 1n;
const BY_POSITION_OR_NAME = 1n;

const inOrder = (named) => [...named].sort((one, other) => Buffer.compare(Buffer.from(one[0]), Buffer.from(other[0])));

/** The metadata of an interface (META-2). `methods` is a Map by name; exceptions are {name, fields}. */
export function metadataOf(name, methods, exceptions, records) {
  const value = [
    FORMAT,
    name,
    null, // no version
    [], // no enums
    inOrder(exceptions.map((each) => [each.name, inOrder(each.fields.map(({ name, type }) => [name, type.metadata]))])),
    inOrder(records.map((each) => [each.name, false, inOrder(each.fields.map(fieldOf))])),
    inOrder([...methods].map(methodOf)),
  ];
  const encoded = encodeValue(value);
  return { name, encoded, digest: createHash('sha256').update(encoded).digest() };
}

const fieldOf = ({ name, type, needed }) => [name, type.metadata, needed];

// that there is a default is told, and never which (META-11)
const parameterOf = (parameter) =>
  [parameter.name, BY_POSITION_OR_NAME, parameter.type.metadata, 'default' in parameter];

function methodOf([name, { shape, parameters, items, gives, raises }]) {
  return [name, BigInt(shape), parameters.map(parameterOf), items?.metadata ?? null, gives.metadata, raises];
}

/** The method `graftwire.describe` of a receiver that hosts this alone. */
export function describe({ name, encoded, digest }) {
  return {
    shape: 0,
    parameters: [{ name: 'digest', type: orNull(bytes), default: null }],
    items: null,
    gives: any,
    raises: [],
    run: ([asked]) => {
      if (asked === null) return [[name, null, digest]];
      return digest.equals(asked) ? encoded : null;
    },
  };
}
