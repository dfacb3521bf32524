import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Gate } from '../harness/gate.ts';
import {
  type Answer,
  type ExecuteOptions,
  type InlineGateway,
  startInlineGateway,
} from '../harness/inlineGateway.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';

const fields = ['slow', 'quick', 'price', 'stock', 'score'];
const subgraphs = [
  {
    name: 'products',
    sdl: 'type Query { product(id: ID!): Product } type Product @key(fields: "id") { id: ID! }',
    resolvers: { Query: { product: (_: never, { id }: never) => ({ __typename: 'Product', id }) } },
  },
  {
    name: 'details',
    sdl: `type Product @key(fields: "id") { id: ID! ${fields.map((name) => `${name}: String`).join(' ')} }`,
    resolvers: {
      Product: Object.fromEntries(fields.map((name) => [name, ({ id }: never) => `${name} ${id}`])),
    },
  },
];

let gateway: InlineGateway;
let gate: Gate;
beforeAll(async () => {
  // `details` takes one call at a time, and its queue has room for three.
  gateway = await startInlineGateway({
    subgraphs,
    config: { subgraphs: { all: {}, details: { concurrency: { max: 1, queue: 3 } } } },
  });
});
afterEach(() => gateway.subgraph('details').reset());
afterAll(() => gateway.close());

const product = (selection: string): string => `{ product(id: "1") { ${selection} } }`;

/** `details` has a call that ends when the gate is opened. */
async function occupy(): Promise<{ readonly answer: Promise<Answer> }> {
  gate = gateway.subgraph('details').hold('Product.slow');
  const answer = gateway.execute(product('slow'));
  await gate.waitForArrivals();
  return { answer };
}

const sample = (name: string) => scrapeSample(gateway.adminUrl, name);

/** Resolves when so many calls of `details` wait. */
async function waiting(count: number): Promise<void> {
  while ((await sample('tributary_subgraph_queue_length{subgraph="details"}')) !== count);
}

/** Asks, and resolves when a call waits for it. */
async function ask(
  count: number,
  selection: string,
  options?: ExecuteOptions,
): Promise<{ answer: Promise<Answer> }> {
  const answer = gateway.execute(product(selection), options);
  answer.catch(() => {});
  await waiting(count);
  return { answer };
}

const requestedFields = (): (string | undefined)[] =>
  gateway.subgraph('details').calls.map(({ query }) => fields.find((name) => query.includes(name)));

test('the metrics of queues have series with 0 before a call has waited', async () => {
  const text = await (await fetch(new URL('/metrics', gateway.adminUrl))).text();
  expect(text).toContain('tributary_subgraph_queue_wait_seconds_sum{subgraph="details"} 0\n');
  expect(text).toContain('tributary_subgraph_queue_length{subgraph="details"} 0\n');
});

describe('a subgraph that takes one call at a time', () => {
  test('gets calls of first responses before deferred ones, and calls of critical requests before others', async () => {
    await occupy();
    await using deferred = await gateway.executeIncrementally(product('id ... @defer { score }'));
    await waiting(1);
    const { answer: background } = await ask(2, 'price', { headers: { 'tributary-priority': 'background' } });
    const { answer: critical } = await ask(3, 'stock', { headers: { 'tributary-priority': 'critical' } });
    gate.open();
    expect(JSON.stringify(await deferred.remaining())).toContain('score 1');
    expect((await Promise.all([background, critical])).map(({ body }) => body)).toEqual([
      { data: { product: { price: 'price 1' } } },
      { data: { product: { stock: 'stock 1' } } },
    ]);
    expect(requestedFields()).toEqual(['slow', 'stock', 'price', 'score']);
  });

  test('has its least urgent call dropped when too many wait, and the error says so', async () => {
    await occupy();
    await using deferred = await gateway.executeIncrementally(product('id ... @defer { score }'));
    await waiting(1);
    const { answer: price } = await ask(2, 'price');
    const { answer: stock } = await ask(3, 'stock');
    const { answer: quick } = await ask(3, 'quick');
    const payloads = JSON.stringify(await deferred.remaining());
    expect(payloads).toContain(
      'Too many calls wait for a subgraph. Try again in a moment (concurrency.queue).',
    );
    expect(payloads).toContain('"code":"OVERLOADED"');
    gate.open();
    const answers = await Promise.all([price, stock, quick]);
    expect(answers.map(({ body }) => body.errors)).toStrictEqual([undefined, undefined, undefined]);
    expect(
      await sample(
        'tributary_subgraph_queue_dropped_total{subgraph="details",priority="critical",reason="full"}',
      ),
    ).toBe(1);
    expect(requestedFields().sort()).toEqual(['price', 'quick', 'slow', 'stock']);
  });

  test('gets no call that only disconnected clients waited for', async () => {
    const { answer: first } = await occupy();
    const leaving = new AbortController();
    const { answer: left } = await ask(1, 'price', { signal: leaving.signal });
    const { answer: other } = await ask(2, 'stock', { signal: leaving.signal });
    leaving.abort();
    await expect(left).rejects.toThrow();
    await expect(other).rejects.toThrow();
    await waiting(0);
    gate.open();
    expect((await first).body).toEqual({ data: { product: { slow: 'slow 1' } } });
    expect((await gateway.execute(product('quick'))).body).toEqual({
      data: { product: { quick: 'quick 1' } },
    });
    expect(requestedFields()).toEqual(['slow', 'quick']);
  });
});

test('an invalid priority is refused with the allowed values', async () => {
  const { status, body } = await gateway.execute(product('quick'), {
    headers: { 'tributary-priority': 'high' },
  });
  expect({ status, body }).toMatchObject({
    status: 400,
    body: { errors: [{ message: expect.stringContaining('critical, normal, background') }] },
  });
});
