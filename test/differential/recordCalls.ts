import { type FieldNode, Kind, parse, print } from 'graphql';
import type { DemoSubgraphs } from '../../subgraphs/demo.ts';

/** One HTTP request that a subgraph got. */
export interface SubgraphCall {
  readonly subgraph: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** What the subgraphs received while `act` ran, by subgraph and, where calls were under way together, by text. */
export async function recordCalls(
  subgraphs: DemoSubgraphs,
  act: () => Promise<unknown>,
): Promise<SubgraphCall[]> {
  for (const { requests } of subgraphs.all) requests.reset();
  await act();
  const calls = subgraphs.all.flatMap(({ name, requests }) =>
    requests.recent.map(({ query, variables }) => ({
      subgraph: name,
      query: print(parse(query)),
      variables,
    })),
  );
  return calls.sort((one, other) => compare(callKey(one), callKey(other)));
}

/** What is asked of an entity, by text: subgraph, selection, representation and the other variables. An entity
 *  that comes up twice here was asked the same thing twice. */
export function requestedEntities(calls: readonly SubgraphCall[]): string[] {
  return calls.flatMap(({ subgraph, query, variables }) =>
    entityFields(query).flatMap((field) => {
      const argument = field.arguments?.find(({ name }) => name.value === 'representations')?.value;
      const name = argument?.kind === Kind.VARIABLE ? argument.name.value : '';
      const others = Object.entries(variables).filter(([key]) => !key.startsWith('representations'));
      const question = `${subgraph} ${JSON.stringify(others)} ${print(field.selectionSet as never)}`;
      return (variables[name] as readonly unknown[]).map(
        (representation) => `${question} ${JSON.stringify(representation)}`,
      );
    }),
  );
}

/** Calls to read: the query, and each variable on lines of its own, a representation on each. */
export function printCalls(calls: readonly SubgraphCall[]): string {
  return calls
    .map(({ subgraph, query, variables }) => {
      const lines = Object.entries(variables).flatMap(([name, value]) =>
        name.startsWith('representations') && Array.isArray(value)
          ? [`$${name}:`, ...value.map((representation) => `  ${JSON.stringify(representation)}`)]
          : [`$${name}: ${JSON.stringify(value)}`],
      );
      return [
        `${subgraph}:`,
        ...[query, ...lines]
          .join('\n')
          .split('\n')
          .map((line) => `  ${line}`),
      ].join('\n');
    })
    .join('\n\n');
}

function entityFields(query: string): FieldNode[] {
  return parse(query).definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION
      ? definition.selectionSet.selections.filter(
          (selection): selection is FieldNode =>
            selection.kind === Kind.FIELD && selection.name.value === '_entities',
        )
      : [],
  );
}

function callKey({ subgraph, query, variables }: SubgraphCall): string {
  return `${subgraph} ${query} ${JSON.stringify(variables)}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
