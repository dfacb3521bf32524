import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type InlineContext, startInlineGateway } from '../harness/inlineGateway.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

/** How many turns of the event loop each of the next resolutions takes; a property sets it. */
let delays: readonly number[] = [];
let resolutions = 0;

async function echo(_parent: unknown, _args: unknown, { headers }: InlineContext): Promise<string> {
  await waitForTurns(delays.length === 0 ? 0 : (delays[resolutions++ % delays.length] as number));
  return identityOf(headers.authorization, headers['accept-language']);
}

function identityOf(authorization = 'nobody', language = '*'): string {
  return `${authorization}/${language}`;
}

const subgraphs = [
  {
    name: 'items',
    sdl: `
      type Query { items: [Item!]! item(id: ID!): Item whoami: String }
      type Mutation { write: String touch: Item }
      type Item @key(fields: "id") { id: ID! owner: String }
    `,
    resolvers: {
      Query: {
        items: () => [{ id: '1' }, { id: '2' }],
        item: (_: never, { id }: never) => ({ id }),
        whoami: echo,
      },
      Mutation: { write: echo, touch: () => ({ id: '1' }) },
      Item: { owner: echo },
    },
  },
  {
    name: 'readers',
    sdl: `
      type Query { other: String }
      type Mutation { note: String }
      type Item @key(fields: "id") { id: ID! reader: String box: Box }
      type Box @key(fields: "id") { id: ID! seenBy: String }
    `,
    resolvers: {
      Query: { other: echo },
      Mutation: { note: echo },
      Item: {
        // Not async: in `@apollo/subgraph`, such an error fails all entities of a request.
        __resolveReference: (item: { id: string }) => {
          if (item.id === 'invalid') throw new Error('This is no id.');
          return item;
        },
        reader: echo,
        box: ({ id }: never) => ({ id: `b${id}` }),
      },
      Box: { seenBy: echo },
    },
  },
  {
    name: 'boxes',
    sdl: 'type Query { nothing: Int } type Box @key(fields: "id") { id: ID! colour(tint: Int): String }',
    resolvers: { Box: { colour: ({ id }: never, { tint }: never) => `${id} in ${tint ?? 'grey'}` } },
  },
];

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs }));
afterEach(() => {
  delays = [];
  gateway.reset();
});

const as = (authorization: string): { headers: Record<string, string> } => ({ headers: { authorization } });

describe('equal queries of several clients', () => {
  test('that are under way at the same time share one call', async () => {
    const gate = gateway.subgraph('items').hold('Query.whoami');
    const first = gateway.execute('{ whoami }', as('a'));
    await gate.waitForArrivals();
    // The fetch of the other field shows that the second operation has started.
    const second = gateway.execute('{ whoami other }', as('a'));
    await gateway.subgraph('readers').waitForCalls(1);
    gate.open();
    expect((await first).body).toEqual({ data: { whoami: 'a/*' } });
    expect((await second).body).toEqual({ data: { whoami: 'a/*', other: 'a/*' } });
    expect(gateway.subgraph('items').calls).toHaveLength(1);
  });

  test('with different forwarded headers share no call', async () => {
    const gate = gateway.subgraph('items').hold('Query.whoami');
    const answers = ['a', 'b'].map((name) => gateway.execute('{ whoami }', as(name)));
    await gateway.subgraph('items').waitForCalls(2);
    gate.open();
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual([
      { data: { whoami: 'a/*' } },
      { data: { whoami: 'b/*' } },
    ]);
  });

  test('share no call with acrossRequests: false', async () => {
    await using own = await startInlineGateway({
      subgraphs,
      config: { batching: { acrossRequests: false } },
    });
    const gate = own.subgraph('items').hold('Query.whoami');
    const answers = ['a', 'a'].map((name) => own.execute('{ whoami }', as(name)));
    await own.subgraph('items').waitForCalls(2);
    gate.open();
    await Promise.all(answers);
  });

  test('share all their calls, and each writes into its own response', async () => {
    const gate = gateway.subgraph('items').hold('Query.items');
    const first = gateway.execute('{ items { box { id colour(tint: 1) } } }', as('a'));
    await gate.waitForArrivals();
    const second = gateway.execute('{ items { box { id hue: colour(tint: 2) } } other }', as('a'));
    await gateway.subgraph('readers').waitForCalls(1);
    gate.open();
    const boxes = (key: string, tint: number): unknown =>
      ['1', '2'].map((id) => ({ box: { id: `b${id}`, [key]: `b${id} in ${tint}` } }));
    expect((await first).body).toEqual({ data: { items: boxes('colour', 1) } });
    expect((await second).body).toEqual({ data: { items: boxes('hue', 2), other: 'a/*' } });
    expect(gateway.subgraph('items').calls).toHaveLength(1);
    expect(gateway.subgraph('readers').calls.filter(({ query }) => query.includes('box'))).toHaveLength(1);
  });

  test('continue for the other clients when one disconnects', async () => {
    const gate = gateway.subgraph('items').hold('Query.whoami');
    const leaving = new AbortController();
    const first = gateway.execute('{ whoami }', { ...as('a'), signal: leaving.signal });
    await gate.waitForArrivals();
    const second = gateway.execute('{ whoami other }', as('a'));
    await gateway.subgraph('readers').waitForCalls(1);
    leaving.abort();
    await expect(first).rejects.toThrow();
    gate.open();
    expect((await second).body).toEqual({ data: { whoami: 'a/*', other: 'a/*' } });
  });
});

describe('entities of several clients in one request', () => {
  test('are not lost because of an entity of another client that fails the request', async () => {
    const gate = gateway.subgraph('items').hold('Query.item');
    const answers = ['invalid', '1', '2'].map((id) =>
      gateway.execute('query ($id: ID!) { item(id: $id) { reader } }', { ...as('a'), variables: { id } }),
    );
    await gateway.subgraph('items').waitForCalls(3);
    gate.open();
    const bodies = (await Promise.all(answers)).map(({ body }) => body);
    expect(bodies).toEqual([
      { data: { item: { reader: null } }, errors: [expect.objectContaining({ path: ['item', 'reader'] })] },
      { data: { item: { reader: 'a/*' } } },
      { data: { item: { reader: 'a/*' } } },
    ]);
  });
});

describe('equal requests that come before the first fetch has ended', () => {
  const countShared = () => scrapeSample(gateway.adminUrl, 'tributary_shared_responses_total ');
  const waitForShared = async (count: number): Promise<void> => {
    while ((await countShared()) < count) await waitForTurns(1);
  };
  const query = '{ items { id reader } }';
  const data = (me: string) => ({ items: ['1', '2'].map((id) => ({ id, reader: me })) });

  test('share one response, also when the first client disconnects', async () => {
    const before = await countShared();
    const gate = gateway.subgraph('items').hold('Query.items');
    const leaving = new AbortController();
    const first = gateway.execute(query, { ...as('a'), signal: leaving.signal });
    await gate.waitForArrivals();
    const others = ['a', 'a'].map((name) => gateway.execute(query, as(name)));
    await waitForShared(before + 2);
    const stranger = gateway.execute(query, as('b'));
    await gateway.subgraph('items').waitForCalls(2);
    leaving.abort();
    await expect(first).rejects.toThrow();
    gate.open();
    for (const other of others) expect((await other).body).toEqual({ data: data('a/*') });
    expect((await stranger).body).toEqual({ data: data('b/*') });
    expect(await countShared()).toBe(before + 2);
  });

  test('and not those that come later', async () => {
    const before = await countShared();
    const gate = gateway.subgraph('readers').hold('Item.reader');
    const first = gateway.execute(query, as('a'));
    await gate.waitForArrivals();
    const second = gateway.execute(query, as('a'));
    await gateway.subgraph('items').waitForCalls(2);
    gate.open();
    for (const { body } of await Promise.all([first, second])) expect(body).toEqual({ data: data('a/*') });
    expect(await countShared()).toBe(before);
  });

  test('share the payloads of a response with @defer, and one that disconnects leaves them to the others', async () => {
    const before = await countShared();
    const deferred = '{ items { id ... @defer { reader } } }';
    const itemsGate = gateway.subgraph('items').hold('Query.items');
    const readersGate = gateway.subgraph('readers').hold('Item.reader');
    const answers = [await gateway.executeIncrementally(deferred, as('a'))];
    await itemsGate.waitForArrivals();
    for (const name of ['a', 'a']) answers.push(await gateway.executeIncrementally(deferred, as(name)));
    await waitForShared(before + 2);
    itemsGate.open();
    for (const answer of answers)
      expect(await answer.next()).toEqual([{ data: { items: [{ id: '1' }, { id: '2' }] }, hasNext: true }]);
    await answers[0]?.[Symbol.asyncDispose]();
    await readersGate.waitForArrivals();
    readersGate.open();
    const incremental = ['1', '2'].map((_, index) => ({ data: { reader: 'a/*' }, path: ['items', index] }));
    for (const answer of answers.slice(1))
      expect(await answer.remaining()).toEqual([{ incremental, hasNext: false }]);
  });
});

test('equal mutations of several clients are sent once for each client', async () => {
  const gate = gateway.subgraph('items').hold('Mutation.write');
  const answers = ['a', 'a'].map((name) => gateway.execute('mutation { write }', as(name)));
  await gateway.subgraph('items').waitForCalls(2);
  gate.open();
  await Promise.all(answers);
  expect(gateway.subgraph('items').calls).toHaveLength(2);
});

test('the fields that a mutation reads do not come from a query that began before the mutation', async () => {
  const gate = gateway.subgraph('readers').hold('Item.reader');
  const before = gateway.execute('{ item(id: "1") { reader } }', as('a'));
  await gate.waitForArrivals();
  const after = gateway.execute('mutation { touch { reader } }', as('a'));
  await gateway.subgraph('readers').waitForCalls(2);
  gate.open();
  expect((await before).body).toEqual({ data: { item: { reader: 'a/*' } } });
  expect((await after).body).toEqual({ data: { touch: { reader: 'a/*' } } });
});

describe('for any mix of concurrent clients', () => {
  const operations: readonly { readonly query: string; readonly data: (me: string) => unknown }[] = [
    { query: '{ whoami }', data: (me) => ({ whoami: me }) },
    { query: '{ whoami other }', data: (me) => ({ whoami: me, other: me }) },
    {
      query: '{ items { id owner reader } }',
      data: (me) => ({ items: ['1', '2'].map((id) => ({ id, owner: me, reader: me })) }),
    },
    {
      query: '{ item(id: "2") { mine: reader box { seenBy } } whoami }',
      data: (me) => ({ item: { mine: me, box: { seenBy: me } }, whoami: me }),
    },
    {
      query: '{ items { box { seenBy colour } } item(id: "3") { reader } }',
      data: (me) => ({
        items: ['1', '2'].map((id) => ({ box: { seenBy: me, colour: `b${id} in grey` } })),
        item: { reader: me },
      }),
    },
    { query: 'mutation { write note }', data: (me) => ({ write: me, note: me }) },
  ];
  const client = fc.record({
    authorization: fc.constantFrom(undefined, 'a', 'b', 'a, b'),
    language: fc.constantFrom(undefined, 'de', 'en'),
    operation: fc.nat({ max: operations.length - 1 }),
    startsAfter: fc.nat({ max: 6 }),
    /** Turns after which the client leaves. */
    leavesAfter: fc.option(fc.nat({ max: 30 }), { nil: undefined, freq: 3 }),
  });

  test('each client gets the data of its own identity only', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(client, { minLength: 2, maxLength: 12 }),
        fc.array(fc.nat({ max: 8 }), { minLength: 1, maxLength: 8 }),
        async (clients, turnsEach) => {
          delays = turnsEach;
          const answers = clients.map(async (one) => {
            const { query, data } = operations[one.operation] as (typeof operations)[number];
            const headers: Record<string, string> = {};
            if (one.authorization !== undefined) headers.authorization = one.authorization;
            headers['accept-language'] = one.language ?? '*';
            const leaving = new AbortController();
            await waitForTurns(one.startsAfter);
            const answer = gateway.execute(query, { headers, signal: leaving.signal });
            if (one.leavesAfter !== undefined) void waitForTurns(one.leavesAfter).then(() => leaving.abort());
            const body = await answer.then(
              (got) => got.body,
              (error: unknown) => {
                if (!leaving.signal.aborted) throw error;
                return undefined;
              },
            );
            if (body !== undefined) {
              expect(body).toEqual({ data: data(identityOf(one.authorization, one.language)) });
            }
          });
          await Promise.all(answers);
        },
      ),
      { numRuns: 60 },
    );
  });
});
