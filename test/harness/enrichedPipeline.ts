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
import { productInputs } from './fetchNodes.ts';
import { Gate } from './gate.ts';
import { createLocalPipeline, type LocalPipeline } from './localPipeline.ts';
import { createPlannerDouble } from './plannerDouble.ts';

const apiSdl = `
  directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  type Query { products: [Product] matrix: [[Product!]]! }
  type Product { id: ID! stock: Int advice: Advice rating: Int! }
  type Advice { text: String! }
`;

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';

const catalog = parse(`${federation}
  type Query { products: [Product] matrix: [[Product!]]! }
  type Product @key(fields: "id") { id: ID! }
`);

const extras = parse(`${federation}
  type Product @key(fields: "id") { id: ID! stock: Int advice: Advice rating: Int! }
  type Advice { text: String! }
`);

interface EnqueuedJob {
  readonly job: EnrichmentJob;
  readonly attempt: JobAttempt;
  readonly tokenOwner: string | undefined;
}

export interface EnrichedPipeline {
  readonly pipeline: LocalPipeline;
  /** The jobs of first responses with pending fields. */
  readonly enqueued: readonly EnqueuedJob[];
  /** Coordinate and outcome of each enrichment in first responses. */
  readonly outcomes: readonly string[];
  /** Coordinate of each recorded latency, and the latency in whole hours. */
  readonly latencies: readonly string[];
  /** Keys of each fetch, or `root`, and its priority. */
  readonly priorities: readonly string[];
  /** From now on fetches of the subgraph `extras` wait for the gate. */
  holdFetches(): Gate;
}

interface EnrichedPipelineOptions {
  readonly enrichment?: GatewayOptions['enrichment'];
  /** The selections of the entity fetches, which run in parallel. */
  readonly fetches?: readonly string[];
  /** The fields that the last of them needs besides `id`: it begins when the others have fetched these. */
  readonly inputsOfLast?: readonly string[];
  /** The annotations that a cache would add to a fetch. */
  readonly annotationsOf?: (call: FetchCall) => CacheAnnotations;
  /** Ids of the products. */
  readonly ids?: readonly string[];
  /** The root field whose products the entity fetches are for. Default: `products`. */
  readonly root?: 'products' | 'matrix';
}

/** A pipeline for `{ products { id … } }` whose enrichments have a budget of 0 ms. It only records jobs; the test runs
 *  them. */
export function createEnrichedPipeline(options: EnrichedPipelineOptions = {}): EnrichedPipeline {
  const { enrichment, fetches = ['advice { text }'], annotationsOf, ids = ['1', '2'] } = options;
  const { root = 'products', inputsOfLast = [] } = options;
  const enqueued: EnqueuedJob[] = [];
  const outcomes: string[] = [];
  const latencies: string[] = [];
  const priorities: string[] = [];
  let gate: Gate | undefined;
  const afterGate = async <T>(value: T): Promise<T> => {
    await gate?.pass();
    return value;
  };
  const fields = { 'Product.stock': {}, 'Product.advice': {}, 'Product.rating': {} };
  const config = parseConfig({
    supergraph: { file: 'supergraph.graphql' },
    enrichment: { mode: 'always', budget: '0ms', fields, ...enrichment },
  });
  const coordinator = new EnrichmentCoordinator({
    config,
    log: pino({ level: 'silent' }),
    observer: {
      onUnsplit: () => {},
      onReady: ({ coordinate, latencyMs }) =>
        latencies.push(`${coordinate}: ${Math.floor(latencyMs / 3_600_000)}`),
      onFirstResponse: ({ coordinate, outcome }) => outcomes.push(`${coordinate}: ${outcome}`),
    },
    deferredEnrichments: () =>
      ({
        enqueue: (job, attempt, { tokenOwner }) => {
          enqueued.push({ job, attempt, tokenOwner });
          return Promise.resolve({ token: `token ${enqueued.length}`, expiresInMs: 60_000 });
        },
      }) as DeferredEnrichments,
  });
  const node: PlanNode = {
    kind: 'Sequence',
    nodes: [
      fetchOf('catalog', `query { ${root} { __typename id } }`),
      {
        kind: 'Parallel',
        nodes: fetches.map((selections, index) => ({
          kind: 'Flatten',
          path: root === 'products' ? ['products', '@'] : ['matrix', '@', '@'],
          node: fetchOf(
            'extras',
            `query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Product { ${selections} } } }`,
            ['id', ...(index === fetches.length - 1 ? inputsOfLast : [])],
          ),
        })),
      },
    ],
  };
  return {
    enqueued,
    outcomes,
    latencies,
    priorities,
    holdFetches: () => {
      gate = new Gate();
      return gate;
    },
    pipeline: createLocalPipeline({
      enrichment: coordinator,
      wrapFetches: (sender) =>
        annotateFetches(sender, (call) => {
          const kind = call.shape.isEntityFetch ? call.shape.keys.join() : 'root';
          priorities.push(`${kind}: ${call.priority}`);
          return annotationsOf?.(call) ?? {};
        }),
      planner: createPlannerDouble(({ shouldSplitDefer }) =>
        shouldSplitDefer ? undefined : { kind: 'QueryPlan', node },
      ),
      sdl: apiSdl,
      apiSchema: buildSchema(apiSdl),
      subgraphs: new Map([
        [
          'catalog',
          buildSubgraphSchema({
            typeDefs: catalog,
            resolvers: {
              Query: {
                products: () => ids.map((id) => ({ id })),
                matrix: () => [ids.map((id) => ({ id }))],
              },
            },
          }),
        ],
        [
          'extras',
          buildSubgraphSchema({
            typeDefs: extras,
            resolvers: {
              Product: {
                stock: ({ id }: { id: string }) => afterGate(Number(id)),
                advice: ({ id }: { id: string }) => afterGate({ text: `about ${id}` }),
                rating: ({ id }: { id: string }) => afterGate(Number(id) * 2),
              },
            },
          }),
        ],
      ]),
    }),
  };
}

/** `inputs`: of an entity fetch. */
function fetchOf(serviceName: string, operation: string, inputs?: readonly string[]): FetchNode {
  return {
    kind: 'Fetch',
    serviceName,
    operation,
    operationKind: 'query',
    variableUsages: [],
    ...(inputs === undefined ? {} : { requires: productInputs(...inputs) }),
  };
}

/** All results of an attempt. */
export async function collectResults(attempt: JobAttempt): Promise<readonly FieldResult[]> {
  const results: FieldResult[] = [];
  await attempt.collect((result) => results.push(result));
  return results;
}
