import {
  type ConstDirectiveNode,
  type ConstValueNode,
  type DocumentNode,
  Kind,
  type TypeDefinitionNode,
  valueFromASTUntyped,
} from 'graphql';
import { linkedDirectiveNames, nonNullArgumentsOf } from '../planning/linkedDirectives.ts';

/** The arguments of `@listSize`. */
export interface ListSizeRule {
  readonly assumedSize: number | undefined;
  /** Names of arguments, or paths of fields in them (`page.first`). */
  readonly slicingArguments: readonly string[];
  /** Fields of the returned object whose lists have the size; empty if the field itself is the list. */
  readonly sizedFields: readonly string[];
  readonly requiresOneSlicingArgument: boolean;
}

/** What a supergraph says about the cost of its operations. Keys are schema coordinates: `Type`, `Type.field`,
 *  `Type.field(argument:)`. */
export interface CostRules {
  /** By `@cost`. */
  readonly weights: ReadonlyMap<string, number>;
  /** By `@listSize`. */
  readonly listSizes: ReadonlyMap<string, ListSizeRule>;
}

export const noCostRules: CostRules = { weights: new Map(), listSizes: new Map() };

const specUrl = 'https://specs.apollo.dev/cost/';
const costSpec = { isSpec: (url: string) => url.startsWith(specUrl), defaultPrefix: 'cost' };

/** Whether a supergraph may have cost rules. Decides without parsing it. */
export function mayHaveCostRules(sdl: string): boolean {
  return sdl.includes(specUrl);
}

/** Reads `@cost` and `@listSize` of a supergraph. Arguments that the specification does not allow are ignored: composition
 *  has checked them. */
export function readCostRules(document: DocumentNode): CostRules {
  const costNames = linkedDirectiveNames(document, 'cost', costSpec);
  const listSizeNames = linkedDirectiveNames(document, 'listSize', costSpec);
  const weights = new Map<string, number>();
  const listSizes = new Map<string, ListSizeRule>();
  // The coordinate is a function, because few of the elements of a graph have one of the directives.
  const read = (coordinate: () => string, directives: readonly ConstDirectiveNode[] = []): void => {
    for (const directive of directives) {
      if (costNames.has(directive.name.value)) {
        const weight = readWeight(nonNullArgumentsOf(directive).get('weight'));
        if (weight !== undefined) weights.set(coordinate(), weight);
      }
      if (listSizeNames.has(directive.name.value)) listSizes.set(coordinate(), readListSize(directive));
    }
  };
  for (const definition of document.definitions) {
    if (!('name' in definition) || definition.name === undefined) continue;
    const type = definition.name.value;
    read(() => type, (definition as TypeDefinitionNode).directives);
    if (!('fields' in definition)) continue;
    for (const field of definition.fields ?? []) {
      const coordinate = () => `${type}.${field.name.value}`;
      read(coordinate, field.directives);
      if (field.kind !== Kind.FIELD_DEFINITION) continue;
      for (const argument of field.arguments ?? []) {
        read(() => `${coordinate()}(${argument.name.value}:)`, argument.directives);
      }
    }
  }
  return { weights, listSizes };
}

/** The specification has a string, the supergraph an integer. */
function readWeight(value: ConstValueNode | undefined): number | undefined {
  const isNumber = value?.kind === Kind.INT || value?.kind === Kind.FLOAT || value?.kind === Kind.STRING;
  const weight = isNumber ? Number(value.value) : Number.NaN;
  return Number.isFinite(weight) ? weight : undefined;
}

function readListSize(directive: ConstDirectiveNode): ListSizeRule {
  const values = nonNullArgumentsOf(directive);
  const read = (name: string): unknown => {
    const value = values.get(name);
    return value === undefined ? undefined : valueFromASTUntyped(value);
  };
  const texts = (name: string): string[] => {
    const value = read(name);
    return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
  };
  const assumedSize = read('assumedSize');
  return {
    assumedSize: typeof assumedSize === 'number' ? assumedSize : undefined,
    slicingArguments: texts('slicingArguments'),
    sizedFields: texts('sizedFields'),
    requiresOneSlicingArgument: read('requireOneSlicingArgument') !== false,
  };
}
