import { type GraphQLAbstractType, type GraphQLEnumType, type GraphQLSchema, isObjectType } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ExecutionError } from '../execution/executionDiagnostics.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import type { TypeConditions } from '../execution/typeConditions.ts';

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

/** `coordinate`: `Type.field`, or the words for an element of a list. */
export function describeForbiddenNull(coordinate: string): string {
  return coordinate.includes('.')
    ? `Cannot return null for non-nullable field ${coordinate}.`
    : `Cannot return null for ${coordinate}, whose elements are non-nullable.`;
}

/** `undefined` for a type that only the API schema hides. */
export function describeUnknownType(
  declared: GraphQLAbstractType,
  typename: unknown,
  schema: GraphQLSchema,
  conditions: (() => TypeConditions) | undefined,
): string | undefined {
  if (typeof typename !== 'string')
    return `A subgraph returned an object without the name of its type where ${declared.name} is expected. The subgraph must answer __typename.`;
  if (isObjectType(schema.getType(typename)))
    return `A subgraph returned an object of type ${typename}, which is no ${declared.name}. Correct how the subgraph resolves the type, or compose the supergraph again.`;
  if (conditions?.().hasCompositeType(typename)) return undefined;
  return `A subgraph returned an object of ${describeName('type', typename)}, which the supergraph does not have. Correct how the subgraph resolves the type, or compose the supergraph again.`;
}

/** `undefined` for a value that only the API schema hides. */
export function describeUnknownValue(
  type: GraphQLEnumType,
  value: string,
  conditions: (() => TypeConditions) | undefined,
): string | undefined {
  if (conditions?.().hasEnumValue(type.name, value)) return undefined;
  return `A subgraph returned ${describeName('the enum value', value)}, which ${type.name} does not have in the supergraph. Correct the subgraph, or compose the supergraph again.`;
}

/** Messages never contain text of a subgraph, except names. */
function describeName(kind: string, name: string): string {
  return /^[_A-Za-z]\w{0,99}$/.test(name)
    ? `${kind} ${name}`
    : `${kind === 'type' ? 'a type' : kind} with an invalid name`;
}
