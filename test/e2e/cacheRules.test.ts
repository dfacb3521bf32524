import { mkdtemp, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createGateway, type Gateway, type GatewayOptions } from '../../gateway/gateway.ts';
import { composeCachedSdl, directiveImports, withCached } from '../harness/cachedSubgraphs.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { noShedding } from '../harness/testGateway.ts';

const folder = createTemporaryDirectory();

const shop = (field: string): Promise<string> =>
  composeCachedSdl({
    shop: withCached(`type Query { top: Product } type Product @key(fields: "id") { id: ID! ${field} }`),
  });

interface WatchingGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  /** The answer of `GET /supergraph`. */
  supergraph(): Promise<{ supergraph: unknown; lastRefusal: unknown }>;
  /** Writes another supergraph to the file. Resolves with the next warning or refusal. */
  switchTo(sdl: string): Promise<Record<string, unknown>>;
}

async function startWith(sdl: string, cache: GatewayOptions['cache']): Promise<WatchingGateway> {
  const file = join(await mkdtemp(join(folder, 'watched-')), 'supergraph.graphql');
  await writeFile(file, sdl);
  let take = (_line: Record<string, unknown>): void => {};
  const gateway = await createGateway(
    {
      listen: { port: 0 },
      admin: { port: 0 },
      overload: noShedding,
      supergraph: { file, watch: true },
      contracts: { guard: 'off' },
      ...(cache === undefined ? {} : { cache }),
    },
    {
      logger: pino({ level: 'warn' }, { write: (line) => take(JSON.parse(line)) }),
      startPlannerThread: planInProcess,
    },
  );
  const { adminUrl } = await gateway.start();
  return {
    gateway,
    supergraph: async () => {
      const response = await fetch(new URL('/supergraph', adminUrl));
      return (await response.json()) as { supergraph: unknown; lastRefusal: unknown };
    },
    switchTo: async (next) => {
      const logged = new Promise<Record<string, unknown>>((resolve) => {
        take = resolve;
      });
      await writeFile(`${file}.next`, next);
      await rename(`${file}.next`, file);
      return logged;
    },
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}

test.each(Object.entries(directiveImports))(
  'a supergraph with a %s import of @cached is served',
  async (_, directiveImport) => {
    await using gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'shop',
          link: '',
          sdl: withCached(
            `type Query { top: Product @${directiveImport.name}(maxAge: "5s") }
           type Product @key(fields: "id") @${directiveImport.name}(maxAge: "1m", scope: PRIVATE) { id: ID! name: String }`,
            directiveImport,
          ),
          resolvers: { Query: { top: () => ({ id: '1', name: 'Pan' }) } },
        },
      ],
    });
    expect((await gateway.execute('{ top { id name } }')).body).toEqual({
      data: { top: { id: '1', name: 'Pan' } },
    });
  },
);

test('an invalid duration makes the gateway refuse the supergraph, with the coordinate and the value', async () => {
  const wrong = await shop('stock: Int @cached(maxAge: "5 sec") price: Int @cached(maxAge: "-1s")');
  const reason = [
    'Product.stock: maxAge of @cached is "5 sec"; expected a duration such as 250ms, 5s, 10m or 1h, at most 596h',
    'Product.price: maxAge of @cached is "-1s"; expected a duration such as 250ms, 5s, 10m or 1h, at most 596h',
  ].join('\n');

  await using unready = await startWith(wrong, undefined);
  expect(await unready.supergraph()).toEqual({ supergraph: null, lastRefusal: reason, sourceProblem: null });

  await using running = await startWith(await shop('stock: Int @cached(maxAge: "5s")'), undefined);
  const before = await running.supergraph();
  expect(await running.switchTo(wrong)).toMatchObject({ reason });
  expect(await running.supergraph()).toEqual({ ...before, lastRefusal: reason });
});

const rules = {
  'Product.stock': { maxAge: '5s' },
  'Product.prize': { maxAge: '5s' },
  'subgraph:inventory': { maxAge: '5s' },
} as const;

test('rules and options for names that the first supergraph lacks are refused with the whole list', async () => {
  await using gateway = await startWith(await shop('stock: Int'), {
    rules,
    ignoreSubgraphNoStore: ['inventory'],
  });
  expect(await gateway.supergraph()).toEqual({
    supergraph: null,
    sourceProblem: null,
    lastRefusal:
      'cache.rules["Product.prize"]: Product has no field prize\ncache.rules["subgraph:inventory"]: there is no subgraph "inventory"\ncache.ignoreSubgraphNoStore[0]: there is no subgraph "inventory"',
  });
});

test('a later supergraph that lacks names of rules is used with a warning', async () => {
  await using gateway = await startWith(await shop('stock: Int'), {
    rules: { 'Product.stock': { maxAge: '5s' } },
  });
  const before = await gateway.supergraph();
  expect(await gateway.switchTo(await shop('price: Int'))).toMatchObject({
    unknown: ['cache.rules["Product.stock"]: Product has no field stock'],
    msg: 'The configuration names types or fields that the supergraph does not have',
  });
  expect((await gateway.supergraph()).lastRefusal).toBe(before.lastRefusal);
});

test('with the cache disabled, no rule makes the gateway refuse a supergraph', async () => {
  await using gateway = await startWith(await shop('stock: Int @cached(maxAge: "soon")'), {
    enabled: false,
    rules,
  });
  expect((await gateway.supergraph()).lastRefusal).toBeNull();
});
