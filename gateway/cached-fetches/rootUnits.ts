import { Kind, print, type SelectionNode, visit } from 'graphql';
import { FetchShape } from '../execution/fetchShape.ts';

/** A part of a root fetch that can be asked for by itself. */
export interface RootUnit {
  /** Of the field in the answer; `undefined` for the answer as a whole, where it cannot be divided. */
  readonly responseName: string | undefined;
  /** A fetch of this part alone. */
  readonly shape: FetchShape;
}

/** Divides a root fetch by the response names of its fields. */
export class RootUnits {
  readonly units: readonly RootUnit[];
  readonly #shape: FetchShape;
  readonly #selections: readonly (readonly SelectionNode[])[];
  readonly #subsets = new Map<string, FetchShape>();

  constructor(shape: FetchShape) {
    this.#shape = shape;
    const byName = fieldsByName(shape.document.selectionSet.selections);
    if (byName === undefined || byName.size === 1) {
      const [only] = byName?.keys() ?? [];
      this.#selections = [shape.document.selectionSet.selections];
      this.units = [{ responseName: only, shape }];
      return;
    }
    this.#selections = [...byName.values()];
    this.units = [...byName].map(([responseName, selections]) => ({
      responseName,
      shape: shapeOf(shape, selections),
    }));
  }

  /** A fetch of these units, by their places. */
  shapeFor(places: readonly number[]): FetchShape {
    if (places.length === this.units.length) return this.#shape;
    const [first] = places;
    if (places.length === 1 && first !== undefined) return (this.units[first] as RootUnit).shape;
    const key = places.join();
    let subset = this.#subsets.get(key);
    if (subset === undefined) {
      if (this.#subsets.size >= mostSubsets) this.#subsets.clear();
      subset = shapeOf(
        this.#shape,
        places.flatMap((place) => this.#selections[place] ?? []),
      );
      this.#subsets.set(key, subset);
    }
    return subset;
  }
}

/** Which fields are missing together is decided by what expires when. */
const mostSubsets = 100;

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

function shapeOf(whole: FetchShape, selections: readonly SelectionNode[]): FetchShape {
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
