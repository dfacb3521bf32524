import {
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isListType,
  isNonNullType,
} from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import { isObject } from '../json/isObject.ts';
import type { CollectedField, DeferredFragment, RuntimeType, SelectionSet } from '../operation/selection.ts';
import { enrichmentGroupsWithin, selectionSetOfField } from './pendingSelectionSets.ts';
import { runtimeTypeOf } from './runtimeType.ts';
import type { DeferredInstance, PendingField } from './shapeData.ts';

/** The fields that a payload omits, and later payloads or updates deliver. As in `ShapedData`. */
export interface OmittedFields {
  readonly deferred: readonly DeferredInstance[];
  readonly pending: readonly PendingField[];
}

/** The part of a selection set that leads to omitted fields, for objects of one type. */
interface OmissionPlan {
  readonly deferred: readonly DeferredFragment[];
  readonly fields: readonly CollectedField[];
}

/** More objects are left to `shapeData`, which pauses. */
const maxVisitedObjects = 1_000;

/** Finds the fields that a payload omits, visiting only the fields that lead there. The data must be valid: the payload is
 *  one that generated code has written. Returns `undefined` for a payload with very many objects. */
export function findOmittedFields(
  schema: GraphQLSchema,
  set: SelectionSet,
  type: RuntimeType,
  object: ResponseObject,
  path: ResponsePath,
  pendingGroups: ReadonlySet<number>,
): OmittedFields | undefined {
  if (!mayOmitFields(set)) return nothingOmitted;
  const search = new OmissionSearch(schema, path, pendingGroups);
  search.visitObject(set, type, object);
  return search.visited > maxVisitedObjects ? undefined : search;
}

const nothingOmitted: OmittedFields = { deferred: [], pending: [] };

class OmissionSearch implements OmittedFields {
  readonly deferred: DeferredInstance[] = [];
  readonly pending: PendingField[] = [];
  visited = 0;
  readonly #schema: GraphQLSchema;
  readonly #path: (string | number)[];
  readonly #pendingGroups: ReadonlySet<number>;

  constructor(schema: GraphQLSchema, path: ResponsePath, pendingGroups: ReadonlySet<number>) {
    this.#schema = schema;
    this.#path = [...path];
    this.#pendingGroups = pendingGroups;
  }

  visitObject(set: SelectionSet, type: RuntimeType, object: ResponseObject): void {
    if (++this.visited > maxVisitedObjects) return;
    const plan = omissionPlanOf(this.#schema, set, type);
    for (const fragment of plan.deferred) {
      this.deferred.push({ fragment, object, type, path: [...this.#path] });
    }
    for (const field of plan.fields) {
      this.#path.push(field.responseName);
      const group = field.enrichmentGroups.find((enrichment) => this.#pendingGroups.has(enrichment));
      if (group !== undefined) this.#addPending(field, group, type, object);
      else if (field.selectionSet !== undefined)
        this.#visitValue(field.type, field.selectionSet, object[field.internalName]);
      this.#path.pop();
    }
  }

  #visitValue(type: GraphQLOutputType, set: SelectionSet, value: unknown): void {
    const nullable = isNonNullType(type) ? type.ofType : type;
    if (isListType(nullable)) {
      if (!Array.isArray(value)) return;
      for (let i = 0; i < value.length && this.visited <= maxVisitedObjects; i++) {
        this.#path.push(i);
        this.#visitValue(nullable.ofType, set, value[i]);
        this.#path.pop();
      }
      return;
    }
    if (!isObject(value) || !isCompositeType(nullable)) return;
    const runtimeType = isAbstractType(nullable)
      ? runtimeTypeOf(this.#schema, nullable, set, value.__typename)
      : nullable;
    if (runtimeType !== undefined) this.visitObject(set, runtimeType, value);
  }

  #addPending(field: CollectedField, group: number, type: RuntimeType, object: ResponseObject): void {
    const selectionSet = selectionSetOfField(field);
    this.pending.push({
      object,
      type,
      selectionSet,
      field: field.responseName,
      path: [...this.#path],
      group,
      groups: enrichmentGroupsWithin(selectionSet),
    });
  }
}

function omissionPlanOf(schema: GraphQLSchema, set: SelectionSet, type: RuntimeType): OmissionPlan {
  let byType = omissionPlans.get(set);
  if (byType === undefined) {
    byType = new Map();
    omissionPlans.set(set, byType);
  }
  let plan = byType.get(type.name);
  if (plan === undefined) {
    const { deferred, fields } = set.collect(schema, type);
    plan = { deferred, fields: fields.filter(mayBeOmittedInPart) };
    byType.set(type.name, plan);
  }
  return plan;
}

function mayBeOmittedInPart({ enrichmentGroups, selectionSet }: CollectedField): boolean {
  return enrichmentGroups.length > 0 || (selectionSet !== undefined && mayOmitFields(selectionSet));
}

/** Whether a selection set has deferred fragments or enrichments, at any depth. */
function mayOmitFields(set: SelectionSet): boolean {
  let mayOmit = omissions.get(set);
  if (mayOmit === undefined) {
    mayOmit = set.selections.some((selection) => {
      if (selection.kind === 'Deferred') return true;
      if (selection.kind === 'Fragment') return mayOmitFields(selection.selectionSet);
      const { enrichmentGroup, selectionSet } = selection;
      return enrichmentGroup !== undefined || (selectionSet !== undefined && mayOmitFields(selectionSet));
    });
    omissions.set(set, mayOmit);
  }
  return mayOmit;
}

// A selection set belongs to one prepared operation, and so to one schema.
const omissionPlans = new WeakMap<SelectionSet, Map<string, OmissionPlan>>();
const omissions = new WeakMap<SelectionSet, boolean>();
