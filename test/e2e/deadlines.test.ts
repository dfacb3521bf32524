import { beforeAll, describe, expect, test } from '@jest/globals';
import type { IncrementalFormat } from '../../gateway/operation/operationRequest.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

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

const gateway = await startInlineGateway({
  subgraphs,
  config: {
    // Each operation has calls of its own, because they run at the same time.
    batching: { acrossRequests: false },
    subgraphs: { all: { timeouts: { attempt: deadlineMs, deadline: deadlineMs } } },
  },
});
disposeAfterSuite(gateway);

const deadlineExceededAt = (...path: (string | number)[]): unknown => ({
  message: 'The deadline of the request passed before a subgraph responded (timeouts.deadline).',
  path,
  extensions: { code: 'DEADLINE_EXCEEDED' },
});

describe('a subgraph that hangs until the deadline', () => {
  const deferred = '{ products { id ... @defer { note } } }';
  const nonNull = '{ products { id ... @defer { sure } } }';
  let outcomes: {
    readonly complete: Awaited<ReturnType<InlineGateway['execute']>>;
    readonly deferSpec: readonly unknown[];
    readonly incrementalSpec: readonly unknown[];
    readonly nonNull: readonly unknown[];
  };

  async function readPayloads(operation: string, format: IncrementalFormat): Promise<readonly unknown[]> {
    await using answer = await gateway.executeIncrementally(operation, { format });
    return [await answer.next(), await answer.remaining()];
  }

  // All operations wait for the same deadline, at the same time.
  beforeAll(async () => {
    gateway.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
    const [complete, ...payloads] = await Promise.all([
      gateway.execute('{ products { name note stock } }'),
      readPayloads(deferred, 'deferSpec=20220824'),
      readPayloads(deferred, 'incrementalSpec=v0.2'),
      readPayloads(nonNull, 'incrementalSpec=v0.2'),
    ]);
    outcomes = { complete, deferSpec: payloads[0], incrementalSpec: payloads[1], nonNull: payloads[2] };
  });

  test('leaves a complete response with the other data', () => {
    const { status, body } = outcomes.complete;
    expect([status, body]).toEqual([
      200,
      {
        data: {
          products: [
            { name: 'n1', note: null, stock: 3 },
            { name: 'n2', note: null, stock: 3 },
          ],
        },
        errors: [deadlineExceededAt('products', 0, 'note'), deadlineExceededAt('products', 1, 'note')],
      },
    ]);
  });

  test('gets no call that outlives its request', async () => {
    const { calls } = gateway.subgraph('slow');
    expect(await Promise.all(calls.map(({ ended }) => ended))).toEqual([false, false, false, false]);
  });

  const first = [expect.objectContaining({ data: { products: [{ id: '1' }, { id: '2' }] }, hasNext: true })];

  test('is reported in the last payload of a stream that ends properly, as deferSpec=20220824', () => {
    expect(outcomes.deferSpec).toEqual([
      first,
      [
        {
          incremental: [
            {
              data: { note: null },
              path: ['products', 0],
              errors: [deadlineExceededAt('products', 0, 'note')],
            },
            {
              data: { note: null },
              path: ['products', 1],
              errors: [deadlineExceededAt('products', 1, 'note')],
            },
          ],
          hasNext: false,
        },
      ],
    ]);
  });

  test('is reported in the last payload of a stream that ends properly, as incrementalSpec=v0.2', () => {
    expect(outcomes.incrementalSpec).toEqual([
      first,
      [
        {
          incremental: [
            { id: '0', data: { note: null }, errors: [deadlineExceededAt('products', 0, 'note')] },
            { id: '1', data: { note: null }, errors: [deadlineExceededAt('products', 1, 'note')] },
          ],
          completed: [{ id: '0' }, { id: '1' }],
          hasNext: false,
        },
      ],
    ]);
  });

  test('makes the fragment null if its fields are non-null, with one error for each', () => {
    expect(outcomes.nonNull).toEqual([
      first,
      [
        {
          completed: [
            { id: '0', errors: [deadlineExceededAt('products', 0, 'sure')] },
            { id: '1', errors: [deadlineExceededAt('products', 1, 'sure')] },
          ],
          hasNext: false,
        },
      ],
    ]);
  });
});

test('a subgraph gets the remaining time, which is less than the whole deadline', async () => {
  const quick = gateway.subgraph('quick');
  quick.reset();
  await gateway.execute('{ products { stock } }');
  const left = quick.calls.map(({ headers }) => Number(headers['tributary-deadline-ms']));
  expect(left).toEqual([expect.any(Number)]);
  expect(left[0]).toBeGreaterThan(0);
  expect(left[0]).toBeLessThan(deadlineMs);
});
