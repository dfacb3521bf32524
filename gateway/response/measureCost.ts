import { getNullableType, isAbstractType, isCompositeType, isListType } from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import { isObject } from '../json/isObject.ts';
import { mutationCost } from '../operation/compileCost.ts';
import type { CostRules } from '../operation/costRules.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { CollectedField, RuntimeType, SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { runtimeTypeOf } from './runtimeType.ts';

/** The cost of an operation that is being executed. */
export interface OperationCost {
  readonly estimated: number;
  /** By `@cost`: see `CostRules`. */
  readonly weights: CostRules['weights'];
}

type MeasuredOperation = Pick<PreparedOperation, 'kind' | 'root' | 'rootType'> & {
  readonly supergraph: Pick<PreparedOperation['supergraph'], 'apiSchema'>;
};

/** Measuring pauses after so many objects. */
const objectsPerSlice = 500;

/** Measures the actual cost of an operation without deferred parts: that of the lists and objects in its response tree,
 *  by the same weights as the estimate (`compileCost`). A null costs nothing. Weights of arguments are not counted. */
export function* measureCost(
  { kind, root, rootType, supergraph }: MeasuredOperation,
  tree: ResponseObject,
  weights: CostRules['weights'],
): SlicedTask<number> {
  const schema = supergraph.apiSchema;
  let untilPause = objectsPerSlice;
  const cost = (kind === 'mutation' ? mutationCost : 0) + (yield* ofObject(root, rootType, tree));
  return Math.max(0, Math.ceil(cost));

  function* ofObject(set: SelectionSet, type: RuntimeType, object: ResponseObject): SlicedTask<number> {
    if (--untilPause <= 0) {
      untilPause = objectsPerSlice;
      yield;
    }
    let sum = 0;
    for (const field of set.collect(schema, type).fields) {
      const weight = weights.get(`${type.name}.${field.fieldName}`);
      sum += yield* ofValue(field, object[field.internalName], weight);
    }
    return sum;
  }

  function* ofValue(
    field: CollectedField,
    value: unknown,
    weight: number | undefined,
    type = getNullableType(field.type),
  ): SlicedTask<number> {
    if (value === undefined || value === null) return 0;
    if (isListType(type)) {
      if (!Array.isArray(value)) return 0;
      const elementType = getNullableType(type.ofType);
      let sum = 0;
      for (const element of value) sum += yield* ofValue(field, element, weight, elementType);
      return sum;
    }
    // `__schema` and `__type`, which no subgraph answers, cost nothing.
    if (type.name.startsWith('__')) return 0;
    const own = weight ?? weights.get(type.name) ?? (isCompositeType(type) ? 1 : 0);
    const set = field.selectionSet;
    if (set === undefined || !isCompositeType(type)) return own;
    if (!isObject(value)) return 0;
    if (!isAbstractType(type)) return own + (yield* ofObject(set, type, value));
    const runtimeType = runtimeTypeOf(schema, type, set, value.__typename);
    if (runtimeType === undefined) return 0;
    const ofType = weight ?? weights.get(runtimeType.name) ?? own;
    return ofType + (yield* ofObject(set, runtimeType, value));
  }
}
