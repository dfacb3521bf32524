import {
  type GraphQLLeafType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isSpecifiedScalarType,
} from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ExecutionError } from '../execution/executionDiagnostics.ts';
import { isPlainObject, type ResponseObject } from '../execution/responseTree.ts';
import { isNestedDeeperThan } from '../json/isNestedDeeperThan.ts';
import type { CollectedField, DeferredFragment, RuntimeType, SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { enrichmentGroupsWithin, selectionSetOfField } from './pendingSelectionSets.ts';
import { responseTooLarge } from './responseChunks.ts';
import { runtimeTypeOf } from './runtimeType.ts';
import type { SentNulls } from './sentNulls.ts';

/** A deferred fragment at one object of an answer that has been shaped. */
export interface DeferredInstance {
  readonly fragment: DeferredFragment;
  readonly object: ResponseObject;
  readonly type: RuntimeType;
  readonly path: ResponsePath;
}

export type ShapeError =
  /** Something that the response tree holds and the schema forbids. */
  | { readonly kind: 'null' | 'invalid'; readonly message: string; readonly path: ResponsePath }
  /** A field that is missing because a fetch failed. */
  | { readonly kind: 'missing'; readonly cause: ExecutionError; readonly path: ResponsePath };

/** What is to blame for a field that no subgraph brought, by the client's path and the internal name. */
type FindCause = (path: ResponsePath, internalName: string) => ExecutionError | undefined;

/** A place that is null because what belongs there is not complete yet. */
export interface PendingField {
  readonly path: ResponsePath;
  /** The enrichment that is missing: the first one found at or below the place. */
  readonly group: number;
  /** What the place's value is made of: a field of an object, or an object of a list. */
  readonly object: ResponseObject;
  readonly type: RuntimeType;
  readonly selectionSet: SelectionSet;
  /** The field; `undefined` where the place is the object itself. */
  readonly field: string | undefined;
  /** All enrichments that the place has to wait for. */
  readonly groups: readonly number[];
}

export interface ShapedData {
  /** `null` where a null went up to the payload's boundary. */
  readonly data: Record<string, unknown> | null;
  readonly errors: readonly ShapeError[];
  /** In document order; none below a place that became null. */
  readonly deferred: readonly DeferredInstance[];
  /** What was left out because it is not complete; none below another. */
  readonly pending: readonly PendingField[];
  /** Whether something is missing that only the whole could be left out for. */
  readonly isBlockedByPending: boolean;
  /** Of the data's text, at least. */
  readonly bytes: number;
}

export interface ShapeDataOptions {
  readonly sentNulls?: SentNulls;
  readonly causeOf?: FindCause | undefined;
  /** More bytes than this are not made. */
  readonly maxBytes?: number;
  /** Says of an enrichment that it is not complete. */
  readonly isPending?: (group: number) => boolean;
  /** What is late takes along the whole list that it is in: no element is left out by itself. */
  readonly keepsListsWhole?: boolean;
}

/** Long work pauses after so many values. */
const valuesPerSlice = 500;

/** Makes the client's data out of an object of the response tree: the fields that were selected, by the client's
 *  names, values as the API schema allows them, and null propagated as the GraphQL specification says. A field
 *  that no subgraph brought is null. `sentNulls` are those of the answer's earlier payloads; the new ones are added.
 *  Errors: `OPERATION_TOO_COMPLEX` where there is more than `maxBytes`. */
export function* shapeData(
  schema: GraphQLSchema,
  set: SelectionSet,
  type: RuntimeType,
  object: ResponseObject,
  path: ResponsePath,
  options: ShapeDataOptions = {},
): SlicedTask<ShapedData> {
  const shaper = new DataShaper(schema, path, options);
  const data = yield* shaper.shapeObject(set, type, object);
  const { errors, deferred, pending, bytes } = shaper;
  const isTooEarly = data === blockedByPending;
  return {
    data: data === nullViolation || isTooEarly ? null : data,
    errors,
    deferred,
    pending,
    isBlockedByPending: isTooEarly,
    bytes,
  };
}

/** Two quotes, a colon, a value and a comma or bracket. */
const minFieldBytes = 5;

/** Most lists and objects within each other in a value of a custom scalar: what writes it recurses. */
const maxScalarDepth = 1000;

/** Stands for a null where none is allowed, on its way up. */
const nullViolation = Symbol('null where the type is non-null');

/** Stands for what has to be left out for something below that is late, on its way up to where null is allowed. */
const blockedByPending = Symbol('left out until it is complete');

interface ShapeCheckpoint {
  readonly deferred: number;
  readonly pending: number;
  readonly errors: number;
}

type PropagatedNull = typeof nullViolation | typeof blockedByPending;
type Shaped<T> = T | PropagatedNull;

/** What never pauses is made without a generator: that is most of the values. */
function leafTypeOf(type: GraphQLOutputType): GraphQLLeafType | undefined {
  const nullable = isNonNullType(type) ? type.ofType : type;
  return isLeafType(nullable) ? nullable : undefined;
}

function isPropagatedNull<T>(value: Shaped<T>): value is PropagatedNull {
  return value === nullViolation || value === blockedByPending;
}

class DataShaper {
  readonly errors: ShapeError[] = [];
  readonly deferred: DeferredInstance[] = [];
  readonly pending: PendingField[] = [];
  readonly #schema: GraphQLSchema;
  readonly #path: (string | number)[];
  readonly #sentNulls: SentNulls | undefined;
  readonly #causeOf: FindCause | undefined;
  readonly #maxBytes: number;
  readonly #isPending: ShapeDataOptions['isPending'];
  readonly #keepsListsWhole: boolean;
  /** The last enrichment that was found to be late. */
  #pendingGroup = 0;
  /** Of the data so far, at least. */
  bytes = 0;
  #untilPause = valuesPerSlice;

  constructor(
    schema: GraphQLSchema,
    path: ResponsePath,
    {
      sentNulls,
      causeOf,
      maxBytes = Number.POSITIVE_INFINITY,
      isPending,
      keepsListsWhole = false,
    }: ShapeDataOptions,
  ) {
    this.#schema = schema;
    this.#path = [...path];
    this.#sentNulls = sentNulls;
    this.#causeOf = causeOf;
    this.#maxBytes = maxBytes;
    this.#isPending = isPending;
    this.#keepsListsWhole = keepsListsWhole;
  }

  *shapeObject(
    set: SelectionSet,
    type: RuntimeType,
    object: ResponseObject,
  ): SlicedTask<Shaped<Record<string, unknown>>> {
    const { fields, deferred } = set.collect(this.#schema, type);
    const mark = this.#checkpoint();
    for (const fragment of deferred) {
      this.deferred.push({ fragment, object, type, path: [...this.#path] });
    }
    const data: Record<string, unknown> = Object.create(null);
    this.#untilPause -= fields.length;
    if (this.#untilPause <= 0) {
      this.#untilPause = valuesPerSlice;
      yield;
    }
    for (const field of fields) {
      this.#path.push(field.responseName);
      this.#countBytes(field.responseName.length + minFieldBytes);
      let value = this.#fixedValueOf(field, type, object);
      if (value === undefined) {
        const given = object[field.internalName];
        const leaf = leafTypeOf(field.type);
        value = this.#completeField(
          field,
          type,
          object,
          leaf === undefined
            ? yield* this.#shapeValue(field.type, field.selectionSet, given, field.isAlreadySent)
            : this.#shapeLeaf(leaf, given),
        );
      }
      this.#path.pop();
      if (isPropagatedNull(value)) {
        // The object goes, and everything that was to come below it.
        this.#rollBack(mark, value);
        return value;
      }
      data[field.responseName] = value;
    }
    return data;
  }

  /** What stands in a field's place whatever its value is; `undefined` where its value counts. */
  #fixedValueOf(field: CollectedField, type: RuntimeType, object: ResponseObject): Shaped<unknown> {
    if (field.fieldName === '__typename') return type.name;
    if (this.#sentNulls?.has(object, field.internalName, this.#path)) return null;
    if (this.#isFieldPending(field)) {
      if (isNonNullType(field.type)) return blockedByPending;
      this.#markFieldPending(field, type, object);
      return null;
    }
    if (object[field.internalName] !== undefined) return undefined;
    const cause = this.#causeOf?.(this.#path, field.internalName);
    if (cause === undefined) return undefined;
    this.errors.push({ kind: 'missing', cause, path: [...this.#path] });
    return isNonNullType(field.type) ? nullViolation : undefined;
  }

  /** The field with its value: nulls go up, or stop here. */
  #completeField(
    field: CollectedField,
    type: RuntimeType,
    object: ResponseObject,
    value: Shaped<unknown>,
  ): Shaped<unknown> {
    // An object that the client has already cannot become null any more: the whole fragment fails.
    if (value === nullViolation && field.isAlreadySent) return nullViolation;
    if (value === blockedByPending) {
      if (isNonNullType(field.type)) return blockedByPending;
      this.#markFieldPending(field, type, object);
      return null;
    }
    if ((value === null || value === nullViolation) && !isNonNullType(field.type)) {
      if (field.selectionSet !== undefined) this.#sentNulls?.add(object, field.internalName, this.#path);
      return null;
    }
    return value === null ? this.#reportForbiddenNull(`${type.name}.${field.fieldName}`) : value;
  }

  /** A value of a nullable type. Violations below are passed on; who may be null stops them. */
  *#shapeValue(
    type: GraphQLOutputType,
    set: SelectionSet | undefined,
    value: unknown,
    isSent: boolean,
  ): SlicedTask<Shaped<unknown>> {
    const nullable = isNonNullType(type) ? type.ofType : type;
    if (value === undefined || value === null) return null;
    if (isListType(nullable)) return yield* this.#shapeList(nullable.ofType, set, value, isSent);
    if (isLeafType(nullable)) return this.#shapeLeaf(nullable, value);
    if (!isPlainObject(value)) return this.#reportInvalid('an object');
    const runtimeType = isAbstractType(nullable)
      ? runtimeTypeOf(this.#schema, nullable, set, value.__typename)
      : nullable;
    // A type that the API schema does not show: for the client there is nothing here.
    if (runtimeType === undefined || set === undefined) return null;
    return yield* this.shapeObject(set, runtimeType, value);
  }

  *#shapeList(
    elementType: GraphQLOutputType,
    set: SelectionSet | undefined,
    value: unknown,
    isSent: boolean,
  ): SlicedTask<Shaped<unknown>> {
    if (!Array.isArray(value)) return this.#reportInvalid('a list');
    const list: unknown[] = [];
    const mark = this.#checkpoint();
    const leaf = leafTypeOf(elementType);
    for (let i = 0; i < value.length; i++) {
      this.#path.push(i);
      this.#countBytes(1);
      if (--this.#untilPause <= 0) {
        this.#untilPause = valuesPerSlice;
        yield;
      }
      let element: Shaped<unknown>;
      if (this.#sentNulls?.has(value, i, this.#path)) element = null;
      else if (leaf !== undefined) element = this.#shapeLeaf(leaf, value[i]);
      else element = yield* this.#shapeValue(elementType, set, value[i], isSent);
      if (element === null && isNonNullType(elementType))
        element = this.#reportForbiddenNull('an element of the list');
      if (isPropagatedNull(element)) {
        const mayBeNull = !isSent && !isNonNullType(elementType);
        if (
          !mayBeNull ||
          (element === blockedByPending && !this.#markElementPending(elementType, set, value[i]))
        ) {
          this.#path.pop();
          // The elements before this one go as well.
          this.#rollBack(mark, element);
          return element;
        }
        element = null;
      }
      if (element === null && set !== undefined) this.#sentNulls?.add(value, i, this.#path);
      this.#path.pop();
      list.push(element);
    }
    return list;
  }

  #shapeLeaf(type: GraphQLLeafType, value: unknown): Shaped<unknown> {
    if (value === undefined || value === null) return null;
    if (typeof value === 'string') this.#countBytes(value.length);
    if (isEnumType(type)) {
      return typeof value === 'string' && type.getValue(value) !== undefined ? value : null;
    }
    if (!isSpecifiedScalarType(type)) {
      // JSON.parse makes an infinity of a number that is too large.
      if (typeof value === 'number' && !Number.isFinite(value)) return this.#reportInvalid('a finite number');
      return isNestedDeeperThan(value, maxScalarDepth)
        ? this.#reportInvalid(`a less deeply nested ${type.name}`)
        : value;
    }
    try {
      return type.serialize(value);
    } catch {
      return this.#reportInvalid(`a value of type ${type.name}`);
    }
  }

  #isFieldPending({ enrichmentGroups }: CollectedField): boolean {
    const isLate = this.#isPending;
    if (isLate === undefined) return false;
    for (const group of enrichmentGroups) {
      if (!isLate(group)) continue;
      this.#pendingGroup = group;
      return true;
    }
    return false;
  }

  /** The field's null is to be replaced later. */
  #markFieldPending(field: CollectedField, type: RuntimeType, object: ResponseObject): void {
    this.#sentNulls?.add(object, field.internalName, this.#path);
    this.#addPending({ object, type, selectionSet: selectionSetOfField(field), field: field.responseName });
  }

  /** False where the element cannot be replaced by itself. */
  #markElementPending(
    elementType: GraphQLOutputType,
    set: SelectionSet | undefined,
    value: unknown,
  ): boolean {
    const named = isNonNullType(elementType) ? elementType.ofType : elementType;
    // A list within a list has no object that could come later.
    if (this.#keepsListsWhole || !isPlainObject(value) || set === undefined || !isCompositeType(named))
      return false;
    const type = isAbstractType(named) ? runtimeTypeOf(this.#schema, named, set, value.__typename) : named;
    if (type === undefined) return false;
    this.#addPending({ object: value, type, selectionSet: set, field: undefined });
    return true;
  }

  #addPending(place: Pick<PendingField, 'object' | 'type' | 'selectionSet' | 'field'>): void {
    this.pending.push({
      ...place,
      path: [...this.#path],
      group: this.#pendingGroup,
      groups: enrichmentGroupsWithin(place.selectionSet),
    });
  }

  #checkpoint(): ShapeCheckpoint {
    return { deferred: this.deferred.length, pending: this.pending.length, errors: this.errors.length };
  }

  #rollBack({ deferred, pending, errors }: ShapeCheckpoint, reason: PropagatedNull): void {
    this.deferred.length = deferred;
    this.pending.length = pending;
    // What is wrong with what comes later is told later.
    if (reason === blockedByPending) this.errors.length = errors;
  }

  /** By reference one place costs nothing, so that lists of lists may come out larger than any memory. */
  #countBytes(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.#maxBytes) throw responseTooLarge(this.#maxBytes);
  }

  #reportForbiddenNull(place: string): typeof nullViolation {
    this.errors.push({
      kind: 'null',
      message: place.includes('.')
        ? `Cannot return null for non-nullable field ${place}.`
        : `Cannot return null for ${place}, whose elements are non-nullable.`,
      path: [...this.#path],
    });
    return nullViolation;
  }

  #reportInvalid(expected: string): null {
    this.errors.push({
      kind: 'invalid',
      message: `A subgraph's answer has another kind of value where ${expected} belongs.`,
      path: [...this.#path],
    });
    return null;
  }
}
