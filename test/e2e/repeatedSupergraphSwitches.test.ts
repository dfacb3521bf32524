import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createGateway } from '../../gateway/gateway.ts';
import type { StartPlannerThread } from '../../gateway/planning/plannerThread.ts';
import { composeSubgraphs, federationLink } from '../harness/composeSubgraphs.ts';
import { Gate } from '../harness/gate.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { postJson } from '../harness/postJson.ts';
import { collectPayloads } from '../harness/rawHttp.ts';
import { json, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { isLongRun } from '../harness/seeds.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { longCallTimeouts, noShedding } from '../harness/testGateway.ts';
import { WeakList } from '../harness/weakList.ts';

const composed = await composeSubgraphs([
  {
    name: 'items',
    url: 'http://items.test',
    sdl: `${federationLink}
      type Query { item: Item }
      type Subscription { changed: Item }
      type Item @key(fields: "id") { id: ID! name: String }
    `,
  },
  {
    name: 'stock',
    url: 'http://stock.test',
    sdl: `${federationLink} type Item @key(fields: "id") { id: ID! stock: Int }`,
  },
]);

async function ask(url: string, query: string, item: object): Promise<void> {
  const response = await postJson(url, { query });
  expect(await response.json()).toEqual({ data: { item } });
}

/** Resolves when the subscription has started. It ends when the response is garbage. */
async function subscribe(url: string, query: string): Promise<Response> {
  const response = await postJson(url, { query }, { accept: 'text/event-stream' });
  expect(response.status).toBe(200);
  return response;
}

/** Resolves with the payloads. The last one arrives when the stock of `late` is answered. */
async function defer(url: string): Promise<readonly unknown[]> {
  const { payloads } = await collectPayloads(url, {
    headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
    body: JSON.stringify({ query: '{ item { name ... @defer { late: stock } } }' }),
  });
  return payloads;
}

/** What the gateway starts instead of planner threads. Each belongs to a planner, and so to a supergraph and all data that
 *  is derived from it. */
const threads = new WeakList();
let runningThreads = 0;

const startTrackedThread: StartPlannerThread = async (...parameters) => {
  const thread = await planInProcess(...parameters);
  runningThreads += 1;
  void thread.exited.then(() => {
    runningThreads -= 1;
  });
  return threads.add(thread);
};

const switches = isLongRun ? 100 : 8;

test(`${switches} consecutive supergraph switches fail no request and leak nothing`, async () => {
  await using items = await startScriptedSubgraph();
  items.setDefaultScript(json({ data: { item: { __typename: 'Item', id: '1', name: 'Pan' } } }));
  await using stock = await startScriptedSubgraph();
  let gate = new Gate();
  stock.setDefaultScript(async ({ request, respond }) => {
    if (request.body.includes('late')) await gate.pass();
    // Entities under the requested response names, with one representation each.
    const names = [...request.body.matchAll(/(\w+): ?_entities|_entities/g)].map(
      ([, name]) => name ?? '_entities',
    );
    const field = /(\w+): ?stock/.exec(request.body)?.[1] ?? 'stock';
    respond({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ data: Object.fromEntries(names.map((name) => [name, [{ [field]: 5 }]])) }),
    });
  });
  /** Each supergraph has a different API schema. */
  const version = (number: number): string =>
    composed
      .replace('http://items.test', items.url)
      .replace('http://stock.test', stock.url)
      .replace(/(?<=^type Item\b[^{]*\{\n)/m, `  v${number}: Int @join__field(graph: ITEMS)\n`);

  const folder = createTemporaryDirectory();
  const file = join(folder, 'supergraph.graphql');
  await writeFile(file, version(0));
  let wake = (): void => {};
  const gateway = await createGateway(
    {
      listen: { port: 0 },
      admin: { port: 0 },
      overload: noShedding,
      supergraph: { file, watch: true },
      contracts: { guard: 'off' },
      subscriptions: { topics: { 'Subscription.changed': { topic: 'changed' } } },
      // Otherwise a slow plan would start a second thread.
      planning: { warmOperations: 5, threads: 1 },
      // Calls are blocked during switches.
      subgraphs: { all: { timeouts: longCallTimeouts } },
    },
    {
      startPlannerThread: startTrackedThread,
      logger: pino(
        { level: 'info' },
        { write: (line) => line.includes('A new supergraph is in use') && wake() },
      ),
    },
  );
  const streams: Response[] = [];
  const warnings: Error[] = [];
  const keepWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', keepWarning);
  try {
    const { url } = await gateway.start();
    /** Requests during the switch: a known operation, a new operation, and a deferred response that began before. Also
     *  subscriptions that began before: one that is shared with earlier ones, and one that is not. */
    const switchTo = async (number: number): Promise<void> => {
      gate = new Gate();
      const deferred = defer(url);
      await gate.waitForArrivals();
      streams.push(
        await subscribe(url, 'subscription { changed { name } }'),
        await subscribe(url, `subscription { s${number}: changed { name } }`),
      );
      const switched = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await writeFile(`${file}.next`, version(number));
      await rename(`${file}.next`, file);
      for (let round = 0; round < 3; round++) {
        await ask(url, '{ item { name stock } }', { name: 'Pan', stock: 5 });
        await ask(url, `{ item { s${number}_${round}: stock } }`, { [`s${number}_${round}`]: 5 });
      }
      await switched;
      await ask(url, '{ item { name stock } }', { name: 'Pan', stock: 5 });
      gate.open();
      expect(await deferred).toEqual([
        { data: { item: { name: 'Pan' } }, hasNext: true },
        { incremental: [{ path: ['item'], data: { late: 5 } }], hasNext: false },
      ]);
    };
    for (let number = 1; number <= switches; number++) await switchTo(number);
    // No replaced supergraph is kept, not even the first one. Subscriptions are replanned one after the other.
    for (let round = 0; round < 100 && (await threads.count()) > 1; round++) {
      await ask(url, '{ item { name stock } }', { name: 'Pan', stock: 5 });
    }
    expect(await threads.count()).toBe(1);
    expect(runningThreads).toBe(1);
    expect(warnings).toEqual([]);
    await Promise.all(streams.map(({ body }) => body?.cancel()));
  } finally {
    process.off('warning', keepWarning);
    await gateway.close();
  }
  expect(runningThreads).toBe(0);
}, 600_000);
