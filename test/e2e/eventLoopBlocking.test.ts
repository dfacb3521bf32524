import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { startPlannerThread } from '../../gateway/planning/plannerThread.ts';
import { type Answer, type SubgraphCall, startInlineGateway } from '../harness/inlineGateway.ts';
import { mergePayloads } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

/** An answer with so many elements is worked through in many slices, one with so few in none. */
const many = 5_000;
const few = 30;

const subgraphs = [
  {
    name: 'items',
    sdl: `
      scalar Anything
      type Query { items: [Item] strict: [Item!] echo(values: [Int!] anything: Anything text: Int): String anything: Anything }
      type Item @key(fields: "id") { id: ID! name: String inner: [Part!] }
      type Part { n: Int! }
    `,
  },
  { name: 'prices', sdl: 'type Item @key(fields: "id") { id: ID! price: Int! label: String }' },
];

const gateway = await startInlineGateway({
  subgraphs,
  config: {
    limits: { responseSize: '4MB', fieldComparisons: 1000 },
    security: { exposeSubgraphErrors: true },
    subgraphs: { all: { timeouts: { attempt: '24h', deadline: '24h' } } },
  },
  // Planning in this thread would be a long turn of the event loop.
  dependencies: { startPlannerThread },
});
disposeAfterSuite(gateway);
beforeEach(() => gateway.reset());

/** Every seventh entity has no price, which it must have; every fifth fails to tell its label. */
const hasPrice = (i: number): boolean => i % 7 !== 3;
const hasLabel = (i: number): boolean => i % 5 !== 2;

function serve(count: number): void {
  const items = Array.from({ length: count }, (_, i) => ({
    __typename: 'Item',
    id: String(i),
    name: i % 3 === 0 ? `"${i}" of the ünits` : `${'a plain name that makes the answer long '.repeat(4)}${i}`,
    inner: [{ n: i }],
  }));
  gateway.subgraph('items').answerWith(() => ({ kind: 'json', body: { data: { items, strict: items } } }));
  gateway.subgraph('prices').answerWith(({ query, variables }: SubgraphCall) => {
    const ids = (variables.representations as { id: string }[]).map(({ id }) => Number(id));
    return {
      kind: 'json',
      body: {
        data: {
          _entities: ids.map((i) => ({
            __typename: 'Item',
            price: hasPrice(i) ? i : null,
            label: hasLabel(i) ? `label ${i}` : null,
          })),
        },
        errors: ids.flatMap((i, place) =>
          hasLabel(i) || !query.includes('label')
            ? []
            : [{ message: `nothing about ${i}`, path: ['_entities', place, 'label'] }],
        ),
      },
    };
  });
}

const labels = (count: number) => ({
  data: {
    items: Array.from({ length: count }, (_, i) => ({
      id: String(i),
      label: hasLabel(i) ? `label ${i}` : null,
    })),
  },
  errors: Array.from({ length: count }, (_, i) => i)
    .filter((i) => !hasLabel(i))
    .map((i) => ({
      message: `nothing about ${i}`,
      path: ['items', i, 'label'],
      extensions: { code: 'SUBGRAPH_ERROR' },
    })),
});

describe.each([
  ['short', few],
  ['long', many],
])('a %s list', (_, count) => {
  beforeEach(() => serve(count));

  test('is returned unchanged', async () => {
    const { body } = await gateway.execute('{ items { name id inner { n } } }');
    expect(body).toEqual({
      data: {
        items: Array.from({ length: count }, (_, i) => ({
          name:
            i % 3 === 0
              ? `"${i}" of the ünits`
              : `${'a plain name that makes the answer long '.repeat(4)}${i}`,
          id: String(i),
          inner: [{ n: i }],
        })),
      },
    });
  });

  test('has the errors of its entities, in order', async () => {
    const { body } = await gateway.execute('{ items { id label } }');
    expect(body).toEqual(labels(count));
  });

  test('has null for invalid elements', async () => {
    const { body } = await gateway.execute('{ items { id price } }');
    const places = Array.from({ length: count }, (_, i) => i);
    expect(body.data).toEqual({
      items: places.map((i) => (hasPrice(i) ? { id: String(i), price: i } : null)),
    });
    expect(pathsOf(body)).toEqual(places.filter((i) => !hasPrice(i)).map((i) => ['items', i, 'price']));
  });

  test('is null as a whole when its elements are non-null', async () => {
    const { body } = await gateway.execute('{ strict { id price } }');
    expect(body.data).toEqual({ strict: null });
    expect(pathsOf(body)).toEqual([['strict', 3, 'price']]);
  });

  test('has the error of a failed fetch at each missing field', async () => {
    gateway.subgraph('prices').answerWith(() => ({ kind: 'json', status: 500, body: {} }));
    const { body } = await gateway.execute('{ items { id label } }');
    const places = Array.from({ length: count }, (_, i) => i);
    expect(body.data).toEqual({ items: places.map((i) => ({ id: String(i), label: null })) });
    expect(pathsOf(body)).toEqual(places.map((i) => ['items', i, 'label']));
  });

  test('has its deferred fragments in both formats', async () => {
    const query = '{ items { id ... @defer { label } } }';
    const expected = labels(count);
    for (const format of ['deferSpec=20220824', 'incrementalSpec=v0.2'] as const) {
      await using answer = await gateway.executeIncrementally(query, { format });
      const merged = mergePayloads((await answer.remaining()) as Record<string, unknown>[]);
      expect(merged).toEqual(expected);
    }
  });
});

test('other clients get responses while a large response is created', async () => {
  serve(many);
  // Each look at the clock finds the turn used up, so that work pauses wherever it can, however fast the machine is.
  const now = performance.now.bind(performance);
  let looks = 0;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 11 * looks++);
  try {
    let isDone = false;
    let answered = 0;
    const large = gateway.execute('{ items { id name label } }').finally(() => {
      isDone = true;
    });
    await gateway.subgraph('prices').waitForCalls(1);
    await gateway.subgraph('prices').calls[0]?.ended;
    while (!isDone) {
      expect((await gateway.execute('{ __typename }')).body).toEqual({ data: { __typename: 'Query' } });
      answered += 1;
    }
    expect((await large).body.errors).toHaveLength(many / 5);
    // In the turns that it takes to receive the large answer, about ten are answered.
    expect(answered).toBeGreaterThan(30);
  } finally {
    clock.mockRestore();
  }
});

test('a response beyond limits.responseSize is null, with an error that names the limit', async () => {
  const item = { __typename: 'Item', id: '1', name: 'x'.repeat(1000), inner: [] };
  const items = new Array(5000).fill(item);
  gateway.subgraph('items').answerWith(() => ({ kind: 'json', body: { data: { items } } }));
  const tooLarge = {
    message: expect.stringContaining('(limits.responseSize)'),
    extensions: { code: 'OPERATION_TOO_COMPLEX', limit: 'responseSize', allowed: 4 * 1024 ** 2 },
  };
  // Written by generated code, and, where something is wrong, by the interpreter.
  expect((await gateway.execute('{ items { name } }')).body).toEqual({ data: null, errors: [tooLarge] });
  items.push({ ...item, name: 5 });
  expect((await gateway.execute('{ items { name } }')).body).toEqual({ data: null, errors: [tooLarge] });
});

test.each([
  [
    'variables with many values',
    'query($v: [Int!]) { echo(values: $v) }',
    { v: new Array(50_001).fill(1) },
    { limit: 'variableValues', allowed: 50_000 },
  ],
  [
    'fields that have to be compared',
    `{ ${'items { id } '.repeat(40)} }`,
    {},
    { limit: 'fieldComparisons', allowed: 1000 },
  ],
])('%s are rejected with an error that names the limit', async (_, query, variables, exceeded) => {
  const { status, body } = await gateway.execute(query, { variables });
  expect(status).toBe(400);
  expect(body).toEqual({
    errors: [
      {
        message: expect.stringContaining(`${exceeded.allowed} are allowed (limits.${exceeded.limit})`),
        extensions: { code: 'OPERATION_TOO_COMPLEX', value: expect.any(Number), ...exceeded },
      },
    ],
  });
});

test('a response that is nested too deep is invalid', async () => {
  const deep: unknown = JSON.parse(`${'['.repeat(2000)}${']'.repeat(2000)}`);
  gateway.subgraph('items').answerWith(() => ({
    kind: 'json',
    body: { data: { anything: deep }, extensions: { padding: 'x'.repeat(600_000) } },
  }));
  const { body } = await gateway.execute('{ anything }');
  expect(body).toMatchObject({
    data: { anything: null },
    errors: [{ extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' } }],
  });
});

function pathsOf({ errors = [] }: Answer['body']): unknown[] {
  return errors.map((error) => (error as { path?: unknown }).path);
}
