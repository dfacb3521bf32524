import {
  type GraphQLAbstractType,
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
import { memoryFullError, type ResponsePath } from '../errors.ts';
import type { ExecutionError } from '../execution/executionDiagnostics.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import { serializeScalar } from '../json/exactJson.ts';
import { hasInfinity } from '../json/hasInfinity.ts';
import { isNestedDeeperThan } from '../json/isNestedDeeperThan.ts';
import { isObject } from '../json/isObject.ts';
import { isOldGenerationFull } from '../memory/oldGeneration.ts';
import type { CollectedField, DeferredFragment, RuntimeType, SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { enrichmentGroupsWithin, selectionSetOfField } from './pendingSelectionSets.ts';
import { responseTooLargeError } from './responseChunks.ts';
import { runtimeTypeOf } from './runtimeType.ts';
import type { SentNulls } from './sentNulls.ts';
import type { SentObjects } from './sentObjects.ts';
import { type ShapeError, ShapeErrors, type SupergraphNames } from './shapeErrors.ts';

/** A deferred fragment at one object of the response. */
export interface DeferredInstance {
  readonly fragment: DeferredFragment;
  readonly object: ResponseObject;
  readonly type: RuntimeType;
  readonly path: ResponsePath;
}

/** Finds the error that explains why a field is missing, by the client's path and the internal name. */
export type FindCause = (path: ResponsePath, internalName: string) => ExecutionError | undefined;

/** A path that is null for now, because an enrichment at or below it is not complete. */
export interface PendingField {
  readonly path: ResponsePath;
  /** Delivery group of the first pending enrichment that was found at or below the path. */
  readonly group: number;
  /** The object that the value is a field of, or the object itself when it is an element of a list. */
  readonly object: ResponseObject;
  readonly type: RuntimeType;
  readonly selectionSet: SelectionSet;
  /** Response name of the field; `undefined` for an element of a list. */
  readonly field: string | undefined;
  /** Delivery groups of all enrichments at or below the path. */
  readonly groups: readonly number[];
}

export interface ShapedData {
  /** `null` if a null was propagated to the payload's boundary. */
  readonly data: Record<string, unknown> | null;
  readonly errors: readonly ShapeError[];
  /** In document order; none below a path that became null. */
  readonly deferred: readonly DeferredInstance[];
  /** Fields that this payload lacks because they are pending; none below another. */
  readonly pending: readonly PendingField[];
  /** A pending field is non-null all the way up: the payload cannot be sent without it. */
  readonly isBlockedByPending: boolean;
  /** Lower bound of the size of the data as JSON. */
  readonly bytes: number;
}

export interface ShapeDataOptions {
  readonly sentNulls?: SentNulls;
  /** A payload that would replace one of them by null fails instead. */
  readonly sentObjects?: SentObjects | undefined;
  readonly causeOf?: FindCause | undefined;
  /** Largest payload. */
  readonly maxBytes?: number;
  /** Whether the enrichment of this delivery group is not complete. */
  readonly isPending?: (group: number) => boolean;
  /** A pending field in a list makes the whole list pending, not single elements. */
  readonly keepsListsWhole?: boolean;
  /** The names of the supergraph. A name that only the API schema hides becomes null without an error. */
  readonly names?: SupergraphNames | undefined;
}

/** Shaping pauses after so many values. */
const valuesPerSlice = 500;

const slicesPerMemoryCheck = 64;

/** Creates the client's data from an object of the response tree: the selected fields in the client's names, with values
 *  as the API schema allows them, and nulls propagated as the GraphQL specification says. A field that no subgraph
 *  returned is null. `sentNulls` has the nulls of earlier payloads; new ones are added.
 *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` beyond `maxBytes`, `OVERLOADED` if the memory is full. */
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
  const isBlockedByPending = data === blockedByPending;
  return {
    data: data === nullViolation || isBlockedByPending ? null : data,
    errors: errors.all,
    deferred,
    pending,
    isBlockedByPending,
    bytes,
  };
}

/** Two quotes, a colon, a value and a comma or bracket. */
const minFieldBytes = 5;

/** Deepest nesting of lists and objects in a value of a custom scalar: JSON.stringify recurses. */
const maxScalarDepth = 1000;

/** A null at a non-null type, which propagates to the next nullable parent. */
const nullViolation = Symbol('null where the type is non-null');

/** A pending field at a non-null type, which propagates to the next nullable parent. */
const blockedByPending = Symbol('non-null and pending');

interface ShapeCheckpoint {
  readonly deferred: number;
  readonly pending: number;
  readonly errors: number;
}

type PropagatedNull = typeof nullViolation | typeof blockedByPending;
type Shaped<T> = T | PropagatedNull;

/** Most values are leaves; they are shaped without a generator. */
function leafTypeOf(type: GraphQLOutputType): GraphQLLeafType | undefined {
  const nullable = isNonNullType(type) ? type.ofType : type;
  return isLeafType(nullable) ? nullable : undefined;
}

function isPropagatedNull<T>(value: Shaped<T>): value is PropagatedNull {
  return value === nullViolation || value === blockedByPending;
}

class DataShaper {
  readonly errors: ShapeErrors;
  readonly deferred: DeferredInstance[] = [];
  readonly pending: PendingField[] = [];
  readonly #schema: GraphQLSchema;
  readonly #path: (string | number)[];
  readonly #options: ShapeDataOptions;
  readonly #sentNulls: SentNulls | undefined;
  readonly #maxBytes: number;
  /** Group of the pending enrichment that was found last. */
  #pendingGroup = 0;
  /** Lower bound of the size of the data so far. */
  bytes = 0;
  #untilPause = valuesPerSlice;
  #slices = 0;

  constructor(schema: GraphQLSchema, path: ResponsePath, options: ShapeDataOptions) {
    this.#schema = schema;
    this.#path = [...path];
    this.#options = options;
    this.#sentNulls = options.sentNulls;
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.errors = new ShapeErrors(schema, this.#path, this.#maxBytes, options.names);
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
      this.#beginSlice();
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
            ? yield* this.#shapeValue(field.type, field.selectionSet, given)
            : this.#shapeLeaf(leaf, given),
        );
      }
      this.#path.pop();
      if (isPropagatedNull(value)) {
        // The object becomes null, and its deferred and pending fields with it.
        this.#rollBack(mark, value);
        return value;
      }
      data[field.responseName] = value;
    }
    return data;
  }

  /** Returns the result of a field that does not depend on its value; `undefined` for other fields. */
  #fixedValueOf(field: CollectedField, type: RuntimeType, object: ResponseObject): Shaped<unknown> {
    if (field.fieldName === '__typename') return type.name;
    if (field.isDenied) {
      this.errors.addDenied();
      return isNonNullType(field.type) ? nullViolation : null;
    }
    if (this.#sentNulls?.has(object, field.internalName, this.#path)) return null;
    if (this.#isFieldPending(field)) {
      if (isNonNullType(field.type)) return blockedByPending;
      this.#markFieldPending(field, type, object);
      return null;
    }
    if (object[field.internalName] !== undefined) return undefined;
    const cause = this.#options.causeOf?.(this.#path, field.internalName);
    if (cause === undefined) return undefined;
    this.errors.addMissing(cause);
    return isNonNullType(field.type) ? nullViolation : undefined;
  }

  /** Propagates a null to the object, or stops it at the field. */
  #completeField(
    field: CollectedField,
    type: RuntimeType,
    object: ResponseObject,
    value: Shaped<unknown>,
  ): Shaped<unknown> {
    if (value === nullViolation && this.#isSent()) return nullViolation;
    if (value === blockedByPending) {
      if (isNonNullType(field.type)) return blockedByPending;
      this.#markFieldPending(field, type, object);
      return null;
    }
    if ((value === null || value === nullViolation) && !isNonNullType(field.type)) {
      if (field.selectionSet !== undefined) this.#sentNulls?.add(object, field.internalName, this.#path);
      return null;
    }
    if (value !== null) return value;
    this.errors.addForbiddenNull(`${type.name}.${field.fieldName}`, object[field.internalName], object);
    return nullViolation;
  }

  /** Shapes a value as if its type were nullable. The caller handles null violations. */
  *#shapeValue(
    type: GraphQLOutputType,
    set: SelectionSet | undefined,
    value: unknown,
  ): SlicedTask<Shaped<unknown>> {
    const nullable = isNonNullType(type) ? type.ofType : type;
    if (value === undefined || value === null) return null;
    if (isListType(nullable)) return yield* this.#shapeList(nullable.ofType, set, value);
    if (isLeafType(nullable)) return this.#shapeLeaf(nullable, value);
    if (!isObject(value)) return this.errors.addInvalid('an object');
    const runtimeType = isAbstractType(nullable)
      ? runtimeTypeOf(this.#schema, nullable, set, value.__typename)
      : nullable;
    if (runtimeType === undefined)
      return this.errors.addUnknownType(nullable as GraphQLAbstractType, value.__typename);
    if (set === undefined) return null;
    if (set.collect(this.#schema, runtimeType).isDenied) return this.errors.addDenied();
    return yield* this.shapeObject(set, runtimeType, value);
  }

  *#shapeList(
    elementType: GraphQLOutputType,
    set: SelectionSet | undefined,
    value: unknown,
  ): SlicedTask<Shaped<unknown>> {
    if (!Array.isArray(value)) return this.errors.addInvalid('a list');
    const list: unknown[] = [];
    const mark = this.#checkpoint();
    const leaf = leafTypeOf(elementType);
    for (let i = 0; i < value.length; i++) {
      this.#path.push(i);
      this.#countBytes(1);
      if (--this.#untilPause <= 0) {
        this.#beginSlice();
        yield;
      }
      let element: Shaped<unknown>;
      if (this.#sentNulls?.has(value, i, this.#path)) element = null;
      else if (leaf !== undefined) element = this.#shapeLeaf(leaf, value[i]);
      else element = yield* this.#shapeValue(elementType, set, value[i]);
      if (element === null && isNonNullType(elementType)) {
        this.errors.addForbiddenNull('an element of the list', value[i]);
        element = nullViolation;
      }
      if (isPropagatedNull(element)) {
        const mayBeNull = !isNonNullType(elementType) && !(element === nullViolation && this.#isSent());
        if (
          !mayBeNull ||
          (element === blockedByPending && !this.#markElementPending(elementType, set, value[i]))
        ) {
          this.#path.pop();
          // The elements before this one are dropped as well.
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
      const isKnown = typeof value === 'string' && type.getValue(value) !== undefined;
      return isKnown ? value : this.errors.addUnknownValue(type, value);
    }
    if (!isSpecifiedScalarType(type)) {
      if (hasInfinity(value)) return this.errors.addInvalid('a finite number');
      return isNestedDeeperThan(value, maxScalarDepth)
        ? this.errors.addInvalid(`a less deeply nested ${type.name}`)
        : value;
    }
    try {
      return serializeScalar(type, value);
    } catch {
      return this.errors.addInvalid(`a value of type ${type.name}`);
    }
  }

  #isFieldPending({ enrichmentGroups }: CollectedField): boolean {
    const { isPending } = this.#options;
    if (isPending === undefined) return false;
    for (const group of enrichmentGroups) {
      if (!isPending(group)) continue;
      this.#pendingGroup = group;
      return true;
    }
    return false;
  }

  /** Whether the client has a list or an object at the path, which cannot become null: the whole fragment fails. */
  #isSent(): boolean {
    return this.#options.sentObjects?.has(this.#path) ?? false;
  }

  /** The field is null for now. */
  #markFieldPending(field: CollectedField, type: RuntimeType, object: ResponseObject): void {
    this.#sentNulls?.add(object, field.internalName, this.#path);
    this.#addPending({ object, type, selectionSet: selectionSetOfField(field), field: field.responseName });
  }

  /** Returns false for an element that cannot be delivered by itself. */
  #markElementPending(
    elementType: GraphQLOutputType,
    set: SelectionSet | undefined,
    value: unknown,
  ): boolean {
    const named = isNonNullType(elementType) ? elementType.ofType : elementType;
    // A list inside a list has no object that a payload could be delivered for.
    if (
      this.#options.keepsListsWhole === true ||
      !isObject(value) ||
      set === undefined ||
      !isCompositeType(named)
    )
      return false;
    const type = isAbstractType(named) ? runtimeTypeOf(this.#schema, named, set, value.__typename) : named;
    if (type === undefined) return false;
    this.#addPending({ object: value, type, selectionSet: set, field: undefined });
    return true;
  }

  #addPending(field: Pick<PendingField, 'object' | 'type' | 'selectionSet' | 'field'>): void {
    this.pending.push({
      ...field,
      path: [...this.#path],
      group: this.#pendingGroup,
      groups: enrichmentGroupsWithin(field.selectionSet),
    });
  }

  #checkpoint(): ShapeCheckpoint {
    return { deferred: this.deferred.length, pending: this.pending.length, errors: this.errors.all.length };
  }

  #rollBack({ deferred, pending, errors }: ShapeCheckpoint, reason: PropagatedNull): void {
    this.deferred.length = deferred;
    this.pending.length = pending;
    // Errors of pending fields are reported when the fields are delivered.
    if (reason === blockedByPending) this.errors.all.length = errors;
  }

  #beginSlice(): void {
    this.#untilPause = valuesPerSlice;
    this.#slices += 1;
    // Errors and null fields take many times the memory of the response.
    if (this.#slices % slicesPerMemoryCheck === 0 && isOldGenerationFull()) throw memoryFullError();
  }

  /** The response tree shares objects between paths: its JSON can be far larger than the tree. */
  #countBytes(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.#maxBytes) throw responseTooLargeError(this.#maxBytes);
  }
}
