import { type GraphQLAbstractType, type GraphQLEnumType, type GraphQLSchema, isObjectType } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ExecutionError } from '../execution/executionDiagnostics.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { responseTooLargeError } from './responseChunks.ts';

export type SupergraphNames = PreparedOperation['supergraph']['names'];

/** A value of the response tree that the schema forbids. `unknown`: an object whose type, or an enum value whose name, the
 *  supergraph does not have at this path. `hidden`: a value that only the API schema hides, where it may not be null. */
export interface InvalidValue {
  readonly kind: 'null' | 'hidden' | 'invalid' | 'unknown';
  readonly message: string;
  readonly path: ResponsePath;
  /** The object that lacks the field; `undefined` for a value that a subgraph returned. */
  readonly object: ResponseObject | undefined;
}

export type ShapeError =
  | InvalidValue
  /** A field that is missing because a fetch failed. */
  | { readonly kind: 'missing'; readonly cause: ExecutionError; readonly path: ResponsePath }
  /** A field or object that the client may not read. */
  | { readonly kind: 'denied'; readonly path: ResponsePath };

/** An error without the characters of its message has at least as many. */
const minErrorBytes = 64;

/** The errors of a payload while it is shaped. Each is added at the current path. */
export class ShapeErrors {
  readonly all: ShapeError[] = [];
  readonly #schema: GraphQLSchema;
  readonly #path: ResponsePath;
  readonly #maxBytes: number;
  readonly #names: SupergraphNames | undefined;
  /** Lower bound of the size of the errors. */
  #bytes = 0;

  /** `path`: the current path, which the caller changes. `names`: see `ShapeDataOptions`. */
  constructor(
    schema: GraphQLSchema,
    path: ResponsePath,
    maxBytes: number,
    names: SupergraphNames | undefined,
  ) {
    this.#schema = schema;
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#names = names;
  }

  addMissing(cause: ExecutionError): void {
    this.#add({ kind: 'missing', cause, path: [...this.#path] }, minErrorBytes);
  }

  addDenied(): null {
    this.#add({ kind: 'denied', path: [...this.#path] }, minErrorBytes);
    return null;
  }

  /** `given`: the value in the response tree. */
  addForbiddenNull(coordinate: string, given: unknown, object?: ResponseObject): void {
    const isHidden = given !== null && given !== undefined;
    this.#addInvalidValue(
      isHidden ? 'hidden' : 'null',
      describeForbiddenNull(coordinate),
      given === undefined ? object : undefined,
    );
  }

  addUnknownType(declared: GraphQLAbstractType, typename: unknown): null {
    const message = describeUnknownType(declared, typename, this.#schema, this.#names);
    if (message !== undefined) this.#addInvalidValue('unknown', message);
    return null;
  }

  addUnknownValue(type: GraphQLEnumType, value: unknown): null {
    if (typeof value !== 'string') return this.addInvalid(`a value of type ${type.name}`);
    const message = describeUnknownValue(type, value, this.#names);
    if (message !== undefined) this.#addInvalidValue('unknown', message);
    return null;
  }

  addInvalid(expected: string): null {
    this.#addInvalidValue('invalid', `A subgraph returned an invalid value: expected ${expected}.`);
    return null;
  }

  #addInvalidValue(kind: InvalidValue['kind'], message: string, object?: ResponseObject): void {
    const previous = this.all.at(-1)?.kind;
    // The null in place of an invalid value is not reported.
    const isReported =
      (kind !== 'null' && kind !== 'hidden') || (previous !== 'invalid' && previous !== 'unknown');
    const minBytes = isReported ? minErrorBytes + message.length : 0;
    this.#add({ kind, message, path: [...this.#path], object }, minBytes);
  }

  /** One invalid value is an error at each path at which the response has its object: the errors fill the memory long
   *  before their bytes can be counted. */
  #add(error: ShapeError, minBytes: number): void {
    this.#bytes += minBytes;
    if (this.#bytes > this.#maxBytes) throw responseTooLargeError(this.#maxBytes);
    this.all.push(error);
  }
}

/** `coordinate`: `Type.field`, or the words for an element of a list. */
function describeForbiddenNull(coordinate: string): string {
  return coordinate.includes('.')
    ? `Cannot return null for non-nullable field ${coordinate}.`
    : `Cannot return null for ${coordinate}, whose elements are non-nullable.`;
}

/** `undefined` for a type that only the API schema hides. */
function describeUnknownType(
  declared: GraphQLAbstractType,
  typename: unknown,
  schema: GraphQLSchema,
  names: SupergraphNames | undefined,
): string | undefined {
  if (typeof typename !== 'string')
    return `A subgraph returned an object without the name of its type where ${declared.name} is expected. The subgraph must answer __typename.`;
  if (isObjectType(schema.getType(typename)))
    return `A subgraph returned an object of type ${typename}, which is no ${declared.name}. Correct how the subgraph resolves the type, or compose the supergraph again.`;
  if (names?.compositeTypes.has(typename)) return undefined;
  return `A subgraph returned an object of ${describeName('type', typename)}, which the supergraph does not have. Correct how the subgraph resolves the type, or compose the supergraph again.`;
}

/** `undefined` for a value that only the API schema hides. */
function describeUnknownValue(
  type: GraphQLEnumType,
  value: string,
  names: SupergraphNames | undefined,
): string | undefined {
  if (names?.enumValues.get(type.name)?.has(value)) return undefined;
  return `A subgraph returned ${describeName('the enum value', value)}, which ${type.name} does not have in the supergraph. Correct the subgraph, or compose the supergraph again.`;
}

/** Messages never contain text of a subgraph, except names. */
function describeName(kind: string, name: string): string {
  return /^[_A-Za-z]\w{0,99}$/.test(name)
    ? `${kind} ${name}`
    : `${kind === 'type' ? 'a type' : kind} with an invalid name`;
}
