import { type DocumentNode, Kind, parse, Source } from 'graphql';
import type { ConsumerOperation, SubgraphContract } from '../../../../contracts/contractStore.ts';
import { type ContractGraph, composeGraph } from '../../../../contracts/graph/composeGraph.ts';
import {
  type PlannedGraph,
  planConsumerOperations,
} from '../../../../contracts/graph/planConsumerOperations.ts';
import { inProcessSupergraphTools } from '../../../harness/inProcessSupergraphTools.ts';

const federationLink =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@provides", "@external", "@shareable", "@inaccessible", "@override", "@interfaceObject", "@context", "@fromContext", "@requiresScopes", "@cost", "@listSize"])\n';

/** Contracts by subgraph name. The SDL begins at line 2, after the link to federation. */
export function contractsOf(sdls: Readonly<Record<string, string>>): Map<string, SubgraphContract> {
  return new Map(
    Object.entries(sdls).map(([name, sdl]) => [
      name,
      {
        name,
        url: `http://${name}.invalid/`,
        file: `contracts/schemas/${name}.graphql`,
        sdl: sdl.includes('@link') ? sdl : federationLink + sdl,
      },
    ]),
  );
}

/** One operation of the consumer `web` per operation of the document. */
export function operationsOf(text: string): ConsumerOperation[] {
  const file = 'contracts/operations/web/all.graphql';
  const document: DocumentNode = parse(new Source(text, file));
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  return document.definitions.flatMap((definition): ConsumerOperation[] => {
    if (definition.kind !== Kind.OPERATION_DEFINITION) return [];
    const { line, column } = definition.loc?.startToken ?? { line: 1, column: 1 };
    const used = fragments.filter(
      (fragment) => fragment.kind === Kind.FRAGMENT_DEFINITION && text.includes(`...${fragment.name.value}`),
    );
    return [
      {
        consumer: 'web',
        name: definition.name?.value ?? '',
        document: { kind: Kind.DOCUMENT, definitions: [definition, ...used] },
        location: { file, line, column },
        slo: {},
      },
    ];
  });
}

/** Composes each graph once; disposal closes the planners. */
export class ComposedGraphs implements AsyncDisposable {
  readonly #graphs = new Map<string, ContractGraph>();

  async compose(sdls: Readonly<Record<string, string>>): Promise<ContractGraph> {
    const key = JSON.stringify(sdls);
    const known = this.#graphs.get(key);
    if (known !== undefined) return known;
    const composed = await composeGraph(contractsOf(sdls), inProcessSupergraphTools);
    if ('findings' in composed) throw new Error(composed.findings.map(({ message }) => message).join('\n'));
    this.#graphs.set(key, composed.graph);
    return composed.graph;
  }

  async plan(sdls: Readonly<Record<string, string>>, operations: readonly ConsumerOperation[]) {
    const graph = await this.compose(sdls);
    return { graph, plans: await planConsumerOperations(graph, operations) } satisfies PlannedGraph;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#graphs.values()].map(({ supergraph }) => supergraph.planner.close()));
  }
}
