import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { pino } from 'pino';
import { type ClientOperation, defineExtension } from '../../gateway/gateway.ts';
import { readExtensionExamples, writeExtensionExamples } from './extensionExamples.ts';
import { type InlineGateway, startInlineGateway } from './inlineGateway.ts';
import { createTemporaryDirectory } from './suiteResources.ts';

/** What the hook of this name does in the running test. */
export const actions = new Map<string, (argument: never) => unknown>();
/** The extensions that were closed. */
export const closed: string[] = [];
/** What `requestContext` got. */
export const operations: ClientOperation[] = [];
/** The ids of the supergraphs before those that `admitSupergraph` got. */
export const admitted: (string | undefined)[] = [];

function act(hook: string, argument: unknown): never {
  return actions.get(hook)?.(argument as never) as never;
}

const probe = defineExtension({
  name: 'probe',
  requestContext(request) {
    operations.push(request);
    return act('requestContext', request);
  },
  subgraphHeaders: (event) => act('subgraphHeaders', event),
  onPlan: (event) => act('onPlan', event),
  onSubgraphRequest: (request) => act('onSubgraphRequest', request),
  onSubgraphResponse: (response) => act('onSubgraphResponse', response),
  onResponse: (event) => act('onResponse', event),
  onPayload: (event) => act('onPayload', event),
  admitSupergraph: ({ previousId }) => {
    admitted.push(previousId);
  },
  publicRoutes: [{ method: 'GET', path: '/probe', handle: (request) => act('route', request) }],
  readiness: () => act('readiness', undefined),
  close: () => {
    closed.push('probe');
    throw new Error('nothing to close');
  },
});

const lines: Record<string, unknown>[] = [];
const waiting = new Set<(line: Record<string, unknown>) => void>();
const logger = pino(
  { level: 'debug', base: null },
  {
    write: (text) => {
      const line = JSON.parse(text) as Record<string, unknown>;
      lines.push(line);
      for (const notify of waiting) notify(line);
    },
  },
);

/** Resolves with the next log line with this message. */
export function logLine(message: string): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    const notify = (line: Record<string, unknown>): void => {
      if (line.msg !== message) return;
      waiting.delete(notify);
      resolve(line);
    };
    waiting.add(notify);
  });
}

export const linesOf = (message: string) => lines.filter(({ msg }) => msg === message);

/** Has the modules of the examples. */
export let directory: string;
/** A gateway with the examples of docs/extensions.md, and after them the extension `probe`, whose hooks a test sets. */
export let gateway: InlineGateway;
beforeAll(async () => {
  directory = createTemporaryDirectory();
  const files = await writeExtensionExamples(
    directory,
    await readExtensionExamples(),
    new URL('../../gateway/gateway.ts', import.meta.url).href,
  );
  const example = (name: string, options = {}) => ({
    module: files.get(`extensions/${name}.ts`) as string,
    options,
  });
  gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'products',
        sdl: 'type Query { product: Product } type Product @key(fields: "id") { id: ID! name: String }',
        resolvers: { Query: { product: () => ({ id: '1', name: 'Pan' }) } },
      },
      {
        name: 'reviews',
        sdl: `type Query { review: String } type Mutation { addReview: String } type Subscription { added: String }
              type Product @key(fields: "id") { id: ID! rating: Int }`,
        resolvers: {
          Query: { review: () => 'good' },
          Mutation: { addReview: () => 'added' },
          Product: { rating: () => 5 },
        },
      },
      {
        name: 'stock',
        sdl: 'type Product @key(fields: "id") { id: ID! stock: Int }',
        resolvers: { Product: { stock: (_, __, { headers }) => (headers['x-tenant-id'] === 'a' ? 1 : 2) } },
      },
    ],
    isWatching: true,
    config: {
      telemetry: { logLevel: 'debug' },
      security: { exposeSubgraphErrors: true },
      subgraphs: {
        all: { headers: { forward: ['authorization'] }, retry: { enabled: false } },
        reviews: { timeouts: { attempt: '1s' } },
      },
      enrichment: { fields: { 'Product.stock': {} }, jobs: { backoff: { base: '1ms' } } },
      extensions: [
        example('users'),
        example('tenant'),
        example('slowPlans', { maxFetches: 1 }),
        example('fetchLimit'),
        example('signature', { secret: 'key' }),
        example('legacyErrors'),
        example('audit'),
        example('policies'),
        example('completeGraph'),
        example('flags'),
        probe,
      ],
    },
    dependencies: { logger },
  });
});
afterEach(() => {
  actions.clear();
  lines.length = 0;
  operations.length = 0;
  gateway.reset();
});
afterAll(async () => {
  await gateway.close();
});

export const acme = { headers: { 'x-tenant': 'acme', 'x-request-id': 'r1' } };
export const audit = { extensions: { audit: { requestId: 'r1' } } };
export const callsOf = (...names: string[]) => names.flatMap((name) => gateway.subgraph(name).calls);
export const allCalls = () => callsOf('products', 'reviews', 'stock');
