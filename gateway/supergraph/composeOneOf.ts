import type { DocumentNode } from 'graphql';
import { type InputObjectType, readInputObjects, setOneOfTypes } from '../planning/oneOfDirective.ts';
import { type CompositionDiagnostic, locationsOf } from './compositionDiagnostic.ts';

// `@apollo/composition` drops `@oneOf`, and merges it like any directive when `@composeDirective` names it.

interface ParsedSubgraph {
  readonly name: string;
  readonly typeDefs: DocumentNode;
}

/** Applies `@oneOf` in a composed supergraph to the input types that have it in all subgraphs that define them. A hint
 *  names each type that has it in some subgraphs only. */
export function composeOneOf(
  sdl: string,
  subgraphs: readonly ParsedSubgraph[],
): { readonly sdl: string; readonly hints: readonly CompositionDiagnostic[] } {
  const types = Map.groupBy(subgraphs.flatMap(inputTypesOf), ({ name }) => name);
  const shared = new Set<string>();
  const hints: CompositionDiagnostic[] = [];
  for (const [name, definitions] of types) {
    const others = definitions.filter((type) => !type.isOneOf);
    if (others.length === definitions.length) continue;
    if (others.length === 0) shared.add(name);
    else hints.push(hintOf(name, definitions, others));
  }
  if (shared.size === 0 && hints.length === 0) return { sdl, hints };
  return { sdl: setOneOfTypes(sdl, shared), hints };
}

function hintOf(
  coordinate: string,
  definitions: readonly InputType[],
  others: readonly InputType[],
): CompositionDiagnostic {
  const declaring = definitions.filter((type) => type.isOneOf);
  return {
    code: 'INCONSISTENT_ONE_OF',
    message: `Input object type "${coordinate}" is not @oneOf in the supergraph, because only some subgraphs declare it: it is @oneOf in ${listNames(declaring)} but not in ${listNames(others)}. The gateway accepts objects with several fields, which ${listNames(declaring)} may refuse.`,
    coordinate,
    locations: locationsOf(others.map(({ subgraph, nodes }) => ({ subgraph, loc: nodes[0]?.loc }))),
  };
}

function listNames(types: readonly InputType[]): string {
  const names = types.map(({ subgraph }) => `"${subgraph}"`).join(', ');
  return `${types.length === 1 ? 'subgraph' : 'subgraphs'} ${names}`;
}

interface InputType extends InputObjectType {
  readonly subgraph: string;
}

function inputTypesOf({ name: subgraph, typeDefs }: ParsedSubgraph): InputType[] {
  return readInputObjects(typeDefs).map((type) => ({ subgraph, ...type }));
}
