import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncrementalFormat } from '../../gateway/operation/operationRequest.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';

const subgraphs = [
  {
    name: 'products',
    sdl: 'type Query { products: [Product!]! } type Product @key(fields: "id") { id: ID! name: String }',
    resolvers: { Query: { products: () => ['1', '2'].map((id) => ({ id, name: `n${id}` })) } },
  },
  {
    name: 'slow',
    sdl: 'type Query { pong: Int } type Product @key(fields: "id") { id: ID! note: String sure: Int! }',
  },
  {
    name: 'quick',
    sdl: 'type Query { ping: Int } type Product @key(fields: "id") { id: ID! stock: Int }',
    resolvers: { Product: { stock: () => 3 } },
  },
];

/** In which all other subgraphs answer, also on a machine that stands still for a while. */
const deadlineMs = 4_000;

let gateway: InlineGateway;
beforeAll(async () => {
  gateway = await startInlineGateway({
    subgraphs,
    config: { subgraphs: { all: { timeouts: { attempt: deadlineMs, deadline: deadlineMs } } } },
  });
});
afterAll(() => gateway.close());
afterEach(() => {
  for (const { name } of subgraphs) gateway.subgraph(name).reset();
});

const late = (...path: (string | number)[]): unknown => ({
  message: 'The deadline of the request passed before a subgraph responded (timeouts.deadline).',
  path,
  extensions: { code: 'DEADLINE_EXCEEDED' },
});

describe('a subgraph that hangs until the deadline', () => {
  test('leaves a complete response with the other data', async () => {
    gateway.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
    const { status, body } = await gateway.execute('{ products { name note stock } }');
    expect([status, body]).toEqual([
      200,
      {
        data: {
          products: [
            { name: 'n1', note: null, stock: 3 },
            { name: 'n2', note: null, stock: 3 },
          ],
        },
        errors: [late('products', 0, 'note'), late('products', 1, 'note')],
      },
    ]);
    expect(await gateway.subgraph('slow').calls[0]?.ended).toBe(false);
  });

  test.each<[IncrementalFormat, unknown]>([
    [
      'deferSpec=20220824',
      {
        incremental: [
          { data: { note: null }, path: ['products', 0], errors: [late('products', 0, 'note')] },
          { data: { note: null }, path: ['products', 1], errors: [late('products', 1, 'note')] },
        ],
        hasNext: false,
      },
    ],
    [
      'incrementalSpec=v0.2',
      {
        incremental: [
          { id: '0', data: { note: null }, errors: [late('products', 0, 'note')] },
          { id: '1', data: { note: null }, errors: [late('products', 1, 'note')] },
        ],
        completed: [{ id: '0' }, { id: '1' }],
        hasNext: false,
      },
    ],
  ])('is reported in the last payload of a stream that ends properly, as %s', async (format, last) => {
    gateway.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
    await using answer = await gateway.executeIncrementally('{ products { id ... @defer { note } } }', {
      format,
    });
    expect(await answer.next()).toEqual([
      expect.objectContaining({ data: { products: [{ id: '1' }, { id: '2' }] }, hasNext: true }),
    ]);
    expect(await answer.remaining()).toEqual([last]);
  });

  test('makes the fragment null if its fields are non-null, with one error for each', async () => {
    gateway.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
    await using answer = await gateway.executeIncrementally('{ products { id ... @defer { sure } } }', {
      format: 'incrementalSpec=v0.2',
    });
    const payloads = await answer.remaining();
    expect(payloads.at(-1)).toEqual({
      completed: [
        { id: '0', errors: [late('products', 0, 'sure')] },
        { id: '1', errors: [late('products', 1, 'sure')] },
      ],
      hasNext: false,
    });
  });

  test('gets the remaining time, which is less than the whole deadline', async () => {
    await gateway.execute('{ products { stock } }');
    const left = gateway
      .subgraph('quick')
      .calls.map(({ headers }) => Number(headers['tributary-deadline-ms']));
    expect(left).toEqual([expect.any(Number)]);
    expect(left[0]).toBeGreaterThan(0);
    expect(left[0]).toBeLessThan(deadlineMs);
  });
});
