import { buildSubgraphSchema } from '@apollo/subgraph';
import { buildSchema, parse } from 'graphql';
import { pino } from 'pino';
import { parseConfig } from '../../gateway/config/parseConfig.ts';
import type { DeferredEnrichments } from '../../gateway/enrichment/deferredEnrichments.ts';
import type { EnrichmentJob, FieldResult, JobAttempt } from '../../gateway/enrichment/enrichmentJob.ts';
import { EnrichmentCoordinator } from '../../gateway/enrichment/responses/enrichmentCoordinator.ts';
import type { FetchCall } from '../../gateway/execution/fetchCall.ts';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import type { FetchNode, PlanNode } from '../../gateway/planning/queryPlan.ts';
import { annotateFetches, type CacheAnnotations } from './annotateFetches.ts';
import { Gate } from './gate.ts';
import { createLocalPipeline, type LocalPipeline } from './localPipeline.ts';
import { createPlannerDouble } from './plannerDouble.ts';

const apiSdl = `
  directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  type Query { products: [Product] }
  type Product { id: ID! stock: Int advice: Advice rating: Int! }
  type Advice { text: String! }
`;

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';

const catalog = parse(`${federation}
  type Query { products: [Product] }
  type Product @key(fields: "id") { id: ID! }
`);

const extras = parse(`${federation}
  type Product @key(fields: "id") { id: ID! stock: Int advice: Advice rating: Int! }
  type Advice { text: String! }
`);

interface EnqueuedJob {
  readonly job: EnrichmentJob;
  readonly attempt: JobAttempt;
  readonly identity: string;
}

export interface EnrichedPipeline {
  readonly pipeline: LocalPipeline;
  /** What first answers have left out, in their order. */
  readonly enqueued: readonly EnqueuedJob[];
  /** What has become of enrichments in first answers. */
  readonly outcomes: readonly string[];
  /** Of which enrichments it was learnt how long they take, and how long that is, in whole hours. */
  readonly latencies: readonly string[];
  /** Priorities of the fetches that were answered, by what they asked for. */
  readonly priorities: readonly string[];
  /** Every fetch of the extras waits here. */
  holdFetches(): Gate;
}

interface EnrichedPipelineOptions {
  readonly enrichment?: GatewayOptions['enrichment'];
  /** By names: what is fetched of each product after the first fetch, at once. */
  readonly fetches?: readonly string[];
  /** What a cache would say of what is fetched. */
  readonly annotationsOf?: (call: FetchCall) => CacheAnnotations;
  /** Ids of the products. */
  readonly ids?: readonly string[];
}

/** A pipeline for `{ products { id … } }` whose enrichments nobody waits for, and nobody finishes but the test. */
export function createEnrichedPipeline(options: EnrichedPipelineOptions = {}): EnrichedPipeline {
  const { enrichment, fetches = ['advice { text }'], annotationsOf, ids = ['1', '2'] } = options;
  const handedOver: EnqueuedJob[] = [];
  const answered: string[] = [];
  const ready: string[] = [];
  const priorities: string[] = [];
  let gate: Gate | undefined;
  const passing = async <T>(value: T): Promise<T> => {
    await gate?.pass();
    return value;
  };
  const fields = { 'Product.stock': {}, 'Product.advice': {}, 'Product.rating': {} };
  const config = parseConfig({
    supergraph: { file: 'supergraph.graphql' },
    enrichment: { mode: 'always', budget: '0ms', fields, ...enrichment },
  });
  const enriching = new EnrichmentCoordinator({
    config,
    log: pino({ level: 'silent' }),
    observer: {
      onReady: ({ coordinate, latencyMs }) =>
        ready.push(`${coordinate}: ${Math.floor(latencyMs / 3_600_000)}`),
      onAnswered: ({ coordinate, outcome }) => answered.push(`${coordinate}: ${outcome}`),
    },
    deferredEnrichments: () =>
      ({
        enqueue: (job, run, { identity }) => {
          handedOver.push({ job, attempt: run, identity });
          return Promise.resolve({ token: `token ${handedOver.length}`, expiresInMs: 60_000 });
        },
      }) as DeferredEnrichments,
  });
  const node: PlanNode = {
    kind: 'Sequence',
    nodes: [
      fetchOf('catalog', 'query { products { __typename id } }'),
      {
        kind: 'Parallel',
        nodes: fetches.map((fetched) => ({
          kind: 'Flatten',
          path: ['products', '@'],
          node: fetchOf(
            'extras',
            `query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Product { ${fetched} } } }`,
            true,
          ),
        })),
      },
    ],
  };
  return {
    enqueued: handedOver,
    outcomes: answered,
    latencies: ready,
    priorities,
    holdFetches: () => {
      gate = new Gate();
      return gate;
    },
    pipeline: createLocalPipeline({
      enrichment: enriching,
      wrapFetches: (sender) =>
        annotateFetches(sender, (call) => {
          const kind = call.shape.isEntityFetch ? call.shape.keys.join() : 'root';
          priorities.push(`${kind}: ${call.priority}`);
          return annotationsOf?.(call) ?? {};
        }),
      planner: createPlannerDouble(() => ({ kind: 'QueryPlan', node }), { supportsDefer: false }),
      sdl: apiSdl,
      apiSchema: buildSchema(apiSdl),
      subgraphs: new Map([
        [
          'catalog',
          buildSubgraphSchema({
            typeDefs: catalog,
            resolvers: { Query: { products: () => ids.map((id) => ({ id })) } },
          }),
        ],
        [
          'extras',
          buildSubgraphSchema({
            typeDefs: extras,
            resolvers: {
              Product: {
                stock: ({ id }: { id: string }) => passing(Number(id)),
                advice: ({ id }: { id: string }) => passing({ text: `about ${id}` }),
                rating: ({ id }: { id: string }) => passing(Number(id) * 2),
              },
            },
          }),
        ],
      ]),
    }),
  };
}

function fetchOf(serviceName: string, operation: string, isEntityFetch = false): FetchNode {
  return {
    kind: 'Fetch',
    serviceName,
    operation,
    operationKind: 'query',
    variableUsages: [],
    ...(isEntityFetch
      ? {
          requires: [
            {
              kind: 'InlineFragment',
              typeCondition: 'Product',
              selections: [
                { kind: 'Field', name: '__typename' },
                { kind: 'Field', name: 'id' },
              ],
            },
          ],
        }
      : {}),
  };
}

/** All results of a run. */
export async function collectResults(run: JobAttempt): Promise<readonly FieldResult[]> {
  const results: FieldResult[] = [];
  await run.collect((result) => results.push(result));
  return results;
}
