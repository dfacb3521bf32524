import { Kind, print, type SelectionNode } from 'graphql';
import { responseNameOf } from '../planning/fieldTree.ts';
import { withUsedVariables } from '../planning/usedVariableDefinitions.ts';
import { FetchShape } from './fetchShape.ts';

/** A part of a root fetch that can be fetched separately. */
interface RootItem {
  /** The response name of the field; `undefined` for the whole answer, if it cannot be divided. */
  readonly responseName: string | undefined;
  /** The fetch of this part alone. */
  readonly shape: FetchShape;
}

/** Divides a root fetch by the response names of its fields, so that fields can be cached and fetched separately. */
export class RootFetchPartition {
  readonly items: readonly RootItem[];
  readonly #shape: FetchShape;
  readonly #selections: readonly (readonly SelectionNode[])[];
  readonly #subsetShapes = new Map<string, FetchShape>();

  constructor(shape: FetchShape) {
    this.#shape = shape;
    const byName = fieldsByName(shape.document.selectionSet.selections);
    if (byName === undefined || byName.size === 1) {
      const [only] = byName?.keys() ?? [];
      this.#selections = [shape.document.selectionSet.selections];
      this.items = [{ responseName: only, shape }];
      return;
    }
    this.#selections = [...byName.values()];
    this.items = [...byName].map(([responseName, selections]) => ({
      responseName,
      shape: narrowShape(shape, selections),
    }));
  }

  /** The fetch of the items at these indexes. */
  shapeFor(indexes: readonly number[]): FetchShape {
    if (indexes.length === this.items.length) return this.#shape;
    const [first] = indexes;
    if (indexes.length === 1 && first !== undefined) return (this.items[first] as RootItem).shape;
    const key = indexes.join();
    let subset = this.#subsetShapes.get(key);
    if (subset === undefined) {
      if (this.#subsetShapes.size >= maxCachedSubsets) this.#subsetShapes.clear();
      subset = narrowShape(
        this.#shape,
        indexes.flatMap((index) => this.#selections[index] ?? []),
      );
      this.#subsetShapes.set(key, subset);
    }
    return subset;
  }
}

/** Any subset of the fields can be missing, because they expire at different times. */
const maxCachedSubsets = 100;

/** `undefined` if the selections contain a fragment. */
function fieldsByName(selections: readonly SelectionNode[]): Map<string, SelectionNode[]> | undefined {
  const fields = selections.filter((selection) => selection.kind === Kind.FIELD);
  if (fields.length < selections.length) return undefined;
  return Map.groupBy(fields, responseNameOf);
}

function narrowShape(whole: FetchShape, selections: readonly SelectionNode[]): FetchShape {
  const { document } = whole;
  const operation = withUsedVariables({
    ...document,
    selectionSet: { ...document.selectionSet, selections },
  });
  const used = new Set(operation.variableDefinitions?.map(({ variable }) => variable.name.value));
  return new FetchShape(whole.id, {
    kind: 'Fetch',
    serviceName: whole.subgraph,
    operation: print(operation),
    operationKind: 'query',
    variableUsages: whole.variables.filter((name) => used.has(name)),
    outputRewrites: [...whole.outputRewrites],
  });
}
