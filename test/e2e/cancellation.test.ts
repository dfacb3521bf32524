import { afterEach, describe, expect, test } from '@jest/globals';
import { type SubgraphCall, startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const subgraphs = [
  {
    name: 'products',
    sdl: `
      type Query { products: [Product!]! ping: Int }
      type Mutation { write: Product }
      type Product @key(fields: "id") { id: ID! name: String }
    `,
    resolvers: {
      Query: { products: () => [{ id: '1', name: 'Pan' }], ping: () => 1 },
      Mutation: { write: () => ({ id: '1' }) },
    },
  },
  {
    name: 'slow',
    sdl: `
      type Query { pong: Int }
      type Product @key(fields: "id") { id: ID! note: String vendor: Vendor }
      type Vendor @key(fields: "id") { id: ID! }
    `,
    resolvers: {
      Query: { pong: () => 1 },
      Product: { note: () => 'note', vendor: () => ({ id: 'v' }) },
    },
  },
  {
    name: 'vendors',
    sdl: 'type Query { other: Int } type Vendor @key(fields: "id") { id: ID! name: String }',
    resolvers: { Query: { other: () => 1 }, Vendor: { name: () => 'Acme' } },
  },
];

/** Nothing ends by itself within a test. */
const config = { subgraphs: { all: { timeouts: { attempt: '1h', deadline: '1h' } } } };

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs, config }));
afterEach(() => gateway.reset());

const callOf = (name: string): SubgraphCall => gateway.subgraph(name).calls[0] as SubgraphCall;

describe('a client that disconnects', () => {
  test('ends the root fetch that only it waits for, and later fetches are not sent', async () => {
    gateway.subgraph('products').answerWith(() => ({ kind: 'hang' }));
    const leaving = new AbortController();
    const answer = gateway.execute('{ products { note } }', { signal: leaving.signal });
    await gateway.subgraph('products').waitForCalls(1);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    expect(await callOf('products').ended).toBe(false);
    expect(gateway.subgraph('slow').calls).toHaveLength(0);
  });

  test('ends the entity fetch that only it waits for', async () => {
    gateway.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
    const leaving = new AbortController();
    const answer = gateway.execute('{ products { note } }', { signal: leaving.signal });
    await gateway.subgraph('slow').waitForCalls(1);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    expect(await callOf('slow').ended).toBe(false);
  });

  test('between two payloads ends the deferred fetches at once', async () => {
    gateway.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
    {
      await using answer = await gateway.executeIncrementally('{ products { name ... @defer { note } } }');
      expect(await answer.next()).toEqual([{ data: { products: [{ name: 'Pan' }] }, hasNext: true }]);
      await gateway.subgraph('slow').waitForCalls(1);
    }
    expect(await callOf('slow').ended).toBe(false);
  });

  test('before the first payload ends the primary and the deferred fetches', async () => {
    gateway
      .subgraph('products')
      .answerWith(({ query }) => (query.includes('products') ? undefined : { kind: 'hang' }));
    gateway.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
    {
      await using _answer = await gateway.executeIncrementally(
        '{ ping products { id ... @defer { note } } ... @defer { pong } }',
      );
      await gateway.subgraph('products').waitForCalls(1);
      await gateway.subgraph('slow').waitForCalls(1);
    }
    expect(await callOf('slow').ended).toBe(false);
  });

  test('does not end a call that another client waits for; the last client does', async () => {
    gateway.subgraph('products').answerWith(() => ({ kind: 'hang' }));
    const leaving = [new AbortController(), new AbortController()] as const;
    const first = gateway.execute('{ ping }', { signal: leaving[0].signal });
    await gateway.subgraph('products').waitForCalls(1);
    const second = gateway.execute('{ ping pong }', { signal: leaving[1].signal });
    await gateway.subgraph('slow').waitForCalls(1);
    let isEnded = false;
    void callOf('products').ended.then(() => {
      isEnded = true;
    });

    leaving[0].abort();
    await expect(first).rejects.toThrow();
    // When this later request is answered, the gateway has noticed the disconnect of the earlier one.
    await gateway.execute('{ other }');
    await waitForTurns(5);
    expect(isEnded).toBe(false);
    expect(gateway.subgraph('products').calls).toHaveLength(1);

    leaving[1].abort();
    await expect(second).rejects.toThrow();
    expect(await callOf('products').ended).toBe(false);
  });

  test('ends its mutation between two root fields: fields that have not started are not sent', async () => {
    const gate = gateway.subgraph('products').hold('Mutation.write');
    const leaving = new AbortController();
    const answer = gateway.execute('mutation { write { note } }', { signal: leaving.signal });
    await gate.waitForArrivals();
    leaving.abort();
    await expect(answer).rejects.toThrow();
    expect(await callOf('products').ended).toBe(false);
    gate.open();
    await gateway.execute('{ other }');
    expect(gateway.subgraph('slow').calls).toHaveLength(0);
  });
});

test('a closed gateway leaves no connection to a subgraph open', async () => {
  const own = await startInlineGateway({ subgraphs, config });
  own.subgraph('slow').answerWith(() => ({ kind: 'hang' }));
  const answer = await own.executeIncrementally('{ products { name ... @defer { note } } }');
  await answer.next();
  await own.subgraph('slow').waitForCalls(1);
  await answer[Symbol.asyncDispose]();
  expect(await (own.subgraph('slow').calls[0] as SubgraphCall).ended).toBe(false);
  await own.close();
  expect(own.subgraph('slow').openConnections).toBe(0);
});
