import { once } from 'node:events';
import process from 'node:process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { collectPayloads } from '../harness/rawHttp.ts';
import { runStart, StartedDemo } from '../harness/startedDemo.ts';
import { Peer } from '../harness/webSocketPeer.ts';

let demo: StartedDemo;

beforeAll(async () => {
  demo = await StartedDemo.start();
});

beforeEach(async () => {
  await demo.control('/restore');
  await demo.control('/cold');
});

// That every process of the demo ends with its first one is what this waits for.
afterAll(() => demo.kill());

const allHang = { targets: { '*': { hangRate: 1 } } };
const allFail = { targets: { '*': { errorRate: 1 } } };
const productQuery = `
  query Product($id: ID!) {
    product(id: $id) {
      name
      averageRating
      reviewCount
      stock { total }
      reviews(first: 1) { author { username displayName } }
    }
  }
`;
const name = 'Cast-Iron Skillet, 24 cm';

describe('npm start', () => {
  test('prints its progress, the addresses, and three things to try', () => {
    const lines = demo.output.split('\n');
    expect(lines.filter((line) => / \(\d+\.\d s\)$/.test(line)).length).toBe(3);
    expect(lines.filter((line) => /^ {2}\d\. /.test(line)).length).toBe(3);
    expect(demo.output).toContain(`Shop                       ${demo.shopUrl}\n`);
    expect(demo.output).toContain(`Gateway                    http://127.0.0.1:${demo.firstPort}/graphql`);
    expect(demo.output).toContain(
      `Insights                   http://127.0.0.1:${demo.firstPort + 1}/insights\n`,
    );
    expect(demo.output).toContain(
      `Subgraph accounts          http://127.0.0.1:${demo.firstPort + 3}/graphql\n`,
    );
  });

  test('prints commands that show the same payloads each time', async () => {
    await demo.control('/subgraphs/recommendations/faults', { targets: {} });
    const urls = demo.output.match(/(?<=curl .*)http:\S+/g);
    expect(urls).toEqual([`${demo.shopUrl}/demo/cold`, `http://127.0.0.1:${demo.firstPort}/graphql`]);
    const [query = ''] = demo.output.match(/(?<=-d ')\{"query[^']+/) ?? [];
    for (const _ of [1, 2]) {
      expect(await demo.control('/cold')).toMatchObject({ status: 200 });
      const headers = { 'content-type': 'application/json', accept: 'multipart/mixed' };
      const { payloads } = await collectPayloads(urls?.[1] ?? '', { headers, body: query });
      expect(payloads).toMatchObject([{ data: { product: { name } }, hasNext: true }, { hasNext: false }]);
    }
    expect((await demo.control('/cold')).deleted).toBeGreaterThan(0);
  });

  test('names the ports in use and a command with other ports when the demo runs already', async () => {
    const { code, stdout, stderr } = await runStart(demo.args).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const moved =
      /npm start -- --port (\d+) --admin-port (\d+) --storefront-port (\d+) --subgraph-port (\d+)/.exec(
        stderr,
      );
    expect(stderr).toContain(`  ${demo.firstPort}  gateway                  --port or TRIBUTARY_PORT\n`);
    expect(stderr).toContain(
      `  ${demo.firstPort + 7}  subgraph recommendations --subgraph-port or SUBGRAPH_PORT, the first of five\n`,
    );
    expect(moved?.slice(1).map((port) => Number(port) - demo.firstPort > 7)).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });
});

describe("the API of the shop's fault panel", () => {
  test('shows each subgraph with its own process, its faults and its fields', async () => {
    const { subgraphs } = await demo.control();
    expect(subgraphs.map((subgraph) => subgraph.name)).toEqual([
      'accounts',
      'products',
      'inventory',
      'reviews',
      'recommendations',
    ]);
    expect(new Set(subgraphs.map(({ pid }) => pid)).size).toBe(5);
    const slow = { 'Product.recommended': { latency: 1500 } };
    expect(subgraphs[4]).toMatchObject({ state: 'running', exit: null, faults: slow, defaultFaults: slow });
    expect(subgraphs[3]).toMatchObject({ faults: {}, fields: expect.arrayContaining(['Product.reviews']) });
    // External fields are resolved by another subgraph.
    expect(subgraphs[3]?.fields).not.toContain('Product.name');
  });

  test('kills a subgraph and starts it again on the same port, without its faults', async () => {
    const before = await demo.subgraph('reviews');
    await demo.control('/subgraphs/reviews/faults', allHang);
    expect(await demo.subgraph('reviews')).toEqual({ ...before, faults: allHang.targets });

    expect((await demo.control('/subgraphs/reviews/kill')).status).toBe(200);
    const killed = await demo.subgraph('reviews');
    expect(killed).toEqual({ ...before, state: 'down', pid: null, exit: 'SIGKILL' });
    await expect(fetch(before.url)).rejects.toThrow('fetch failed');

    await demo.control('/subgraphs/reviews/start');
    const started = await demo.subgraph('reviews');
    expect(started).toEqual({ ...before, pid: expect.any(Number) });
    expect(started.pid).not.toBe(before.pid);
  });

  test('shows a subgraph that ended by itself as down', async () => {
    const { pid } = await demo.subgraph('accounts');
    process.kill(Number(pid), 'SIGTERM');
    let accounts = await demo.subgraph('accounts');
    while (accounts.state === 'running') accounts = await demo.subgraph('accounts');
    expect(accounts).toMatchObject({ state: 'down', pid: null, exit: 'exit code 0' });
  });

  test.each([
    ['/subgraphs/review/kill', {}, 404, 'There is no subgraph "review". The subgraphs are accounts,'],
    ['/subgraphs/reviews/stop', {}, 404, 'There is no /demo/subgraphs/reviews/stop. Use GET /demo,'],
    ['/subgraphs/reviews/start', {}, 409, 'Subgraph "reviews" is running already.'],
    [
      '/subgraphs/reviews/kill',
      { soon: true },
      400,
      'Unknown key "soon": this action has no values, send {}.',
    ],
    ['/restore', [], 400, 'The body must be a JSON object, such as {}.'],
    [
      '/subgraphs/reviews/faults',
      { targets: { 'Product.stock': { hangRate: 1 } } },
      400,
      'reviews: Product.stock: this subgraph has no such field',
    ],
    [
      '/subgraphs/reviews/faults',
      { targets: { '*': { hangRate: 2 } } },
      400,
      'reviews: *.hangRate: must be a rate from 0 to 1',
    ],
  ])('refuses POST /demo%s with %j', async (action, body, status, error) => {
    expect(await demo.control(action, body)).toEqual({ status, error: expect.stringContaining(error) });
  });

  test('refuses to kill a subgraph that is down, or to set its faults', async () => {
    await demo.control('/subgraphs/inventory/kill');
    expect(await demo.control('/subgraphs/inventory/kill')).toEqual({
      status: 409,
      error: 'Subgraph "inventory" is down.',
    });
    expect(await demo.control('/subgraphs/inventory/faults', allHang)).toEqual({
      status: 409,
      error: 'Subgraph "inventory" is down: start it before you set its faults.',
    });
  });

  test.each([
    ['the origin of another site', { origin: 'http://127.0.0.1:1' }, 403],
    ['another site by its fetch metadata', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of another port of this host', { 'sec-fetch-site': 'same-site' }, 403],
    ['a host name that is not loopback', { host: 'shop.example' }, 403],
    ['a form', { 'content-type': 'text/plain' }, 415],
  ])('refuses %s', async (_what, headers, status) => {
    const own = { host: new URL(demo.shopUrl).host, 'content-type': 'application/json' };
    const request = { path: '/demo/subgraphs/reviews/kill', body: '{}' };
    const refused = await demo.exchange({ ...request, headers: { ...own, ...headers } });
    expect(refused.status).toBe(status);
    expect((await demo.subgraph('reviews')).state).toBe('running');
  });
});

describe("the demo's graph", () => {
  test.each([
    ['hang', (subgraph: string) => demo.control(`/subgraphs/${subgraph}/faults`, allHang)],
    ['fail', (subgraph: string) => demo.control(`/subgraphs/${subgraph}/faults`, allFail)],
    ['are killed', (subgraph: string) => demo.control(`/subgraphs/${subgraph}/kill`)],
  ])('has the product while reviews and stock %s, and all of it afterwards', async (_what, breakSubgraph) => {
    for (const subgraph of ['reviews', 'inventory']) expect((await breakSubgraph(subgraph)).status).toBe(200);
    await demo.control('/cold');
    const { data, errors } = await demo.query(productQuery, { id: 'p1' });
    const missing = { averageRating: null, reviewCount: null, stock: null, reviews: null };
    expect([data, errors]).toEqual([{ product: { name, ...missing } }, undefined]);

    await demo.control('/restore');
    // Circuits may still be open, and hanging calls may still run.
    let product: Record<string, unknown> = missing;
    while (Object.values(product).includes(null)) {
      product = ((await demo.query(productQuery, { id: 'p1' })).data as { product: typeof missing }).product;
    }
    expect(product).toMatchObject({ name, stock: { total: 131 } });
  });

  test('has the reviews with the names of their authors while the accounts are down', async () => {
    await demo.control('/subgraphs/accounts/kill');
    await demo.control('/cold');
    const query = '{ product(id: "p1") { reviews(first: 1) { author { username displayName } } } }';
    // The circuit of the reviews may still be open.
    let product: { reviews: unknown } = { reviews: null };
    while (product.reviews === null) {
      product = ((await demo.query(query)).data as { product: typeof product }).product;
    }
    const author = { username: expect.any(String), displayName: null };
    expect(product).toEqual({ reviews: [{ author }] });
  });
});

describe("the shop's server", () => {
  test('connects pages to a subscription to the stock, and changes the stock', async () => {
    const url = `${demo.shopUrl}/graphql`;
    await using page = await Peer.ready(url, undefined, { origin: demo.shopUrl });
    page.subscribe('subscription { stockChanged(upc: "2000000055433") { current } }');
    let quantity = 0;
    const event = page.next().finally(() => {
      quantity = -1;
    });
    // The protocol does not confirm subscriptions, so the stock changes until the page has an event.
    const update = 'mutation ($input: UpdateStockInput!) { updateStock(input: $input) { quantity } }';
    while (quantity >= 0) {
      quantity += 1;
      const input = { upc: '2000000055433', warehouseCode: 'LEJ', quantity };
      expect(await demo.query(update, { input })).toMatchObject({
        data: { updateStock: { quantity: input.quantity } },
      });
    }
    expect(await event).toMatchObject({
      type: 'next',
      payload: { data: { stockChanged: { current: expect.any(Number) } } },
    });
  });

  test('refuses a WebSocket of another site', async () => {
    const socket = new WebSocket(`${demo.shopUrl.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      origin: 'http://127.0.0.1:1',
    });
    const [error] = await once(socket, 'error');
    expect((error as Error).message).toBe('Unexpected server response: 403');
  });
});
