import { type FieldNode, Kind, parse, print } from 'graphql';
import type { DemoSubgraphs } from '../../subgraphs/demo.ts';

/** An HTTP request that a subgraph received. */
export interface SubgraphCall {
  readonly subgraph: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Records the subgraph calls while `act` runs, ordered by subgraph and, for concurrent calls, by text. */
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

/** The fetches of entities as texts: subgraph, selection, representation and other variables. A repeated text means
 *  that the same fields of an entity were fetched twice. */
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

/** Prints calls for readers: the query, and each variable on lines of its own, one representation per line. */
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
