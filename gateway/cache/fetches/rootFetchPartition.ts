import { Kind, print, type SelectionNode, visit } from 'graphql';
import { FetchShape } from '../../execution/fetchShape.ts';

/** A part of a root fetch that can be asked for by itself. */
interface RootItem {
  /** Of the field in the answer; `undefined` for the answer as a whole, where it cannot be divided. */
  readonly responseName: string | undefined;
  /** A fetch of this part alone. */
  readonly shape: FetchShape;
}

/** Divides a root fetch by the response names of its fields. */
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

  /** A fetch of these units, by their places. */
  shapeFor(places: readonly number[]): FetchShape {
    if (places.length === this.items.length) return this.#shape;
    const [first] = places;
    if (places.length === 1 && first !== undefined) return (this.items[first] as RootItem).shape;
    const key = places.join();
    let subset = this.#subsetShapes.get(key);
    if (subset === undefined) {
      if (this.#subsetShapes.size >= maxCachedSubsets) this.#subsetShapes.clear();
      subset = narrowShape(
        this.#shape,
        places.flatMap((place) => this.#selections[place] ?? []),
      );
      this.#subsetShapes.set(key, subset);
    }
    return subset;
  }
}

/** Which fields are missing together is decided by what expires when. */
const maxCachedSubsets = 100;

/** `undefined` where there is more than plain fields. */
function fieldsByName(selections: readonly SelectionNode[]): Map<string, SelectionNode[]> | undefined {
  const byName = new Map<string, SelectionNode[]>();
  for (const selection of selections) {
    if (selection.kind !== Kind.FIELD) return undefined;
    const name = selection.alias?.value ?? selection.name.value;
    const same = byName.get(name);
    if (same === undefined) byName.set(name, [selection]);
    else same.push(selection);
  }
  return byName;
}

function narrowShape(whole: FetchShape, selections: readonly SelectionNode[]): FetchShape {
  const used = new Set<string>();
  const { document } = whole;
  const operation = {
    ...document,
    variableDefinitions: [],
    selectionSet: { ...document.selectionSet, selections },
  };
  visit(operation, {
    [Kind.VARIABLE]: ({ name }) => {
      used.add(name.value);
    },
  });
  // A variable that nothing uses makes an operation invalid.
  const variableDefinitions = (document.variableDefinitions ?? []).filter(({ variable }) =>
    used.has(variable.name.value),
  );
  return new FetchShape(whole.id, {
    kind: 'Fetch',
    serviceName: whole.subgraph,
    operation: print({ ...operation, variableDefinitions }),
    operationKind: 'query',
    variableUsages: whole.variables.filter((name) => used.has(name)),
    outputRewrites: [...whole.outputRewrites],
  });
}
