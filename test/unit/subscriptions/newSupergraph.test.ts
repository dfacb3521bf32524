import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { noForwardedHeaders } from '../../../gateway/subgraphs/forwardedHeaders.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import {
  changed,
  complete,
  federation,
  ownNames,
  products,
  start,
  stock,
  stockOf,
  stockOnly,
  whole,
} from './subscriptionFixture.ts';

const supergraphChanged = { code: 'SUPERGRAPH_CHANGED' };
const withTitles = { stock, products: products.replace('name: String', 'title: String') };

describe('a new supergraph', () => {
  test('does not end subscriptions that are valid with it', async () => {
    const started = start();
    const client = await started.subscribe(whole);
    await started.replan({ stock, products: products.replace('name: String', 'name: String weight: Int') });
    expect(started.source.subscriptions).toHaveLength(1);
    started.source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual(complete('1', 5));
  });

  test('ends subscriptions that are not valid with it', async () => {
    const started = start();
    const [client, other] = await Promise.all([started.subscribe(whole), started.subscribe(stockOnly)]);
    await started.replan(withTitles);
    await expect(client.next()).rejects.toMatchObject(supergraphChanged);
    started.source.at(1).send(changed('1', 5));
    expect(await other.next()).toEqual(stockOf(5));
  });

  test('ends subscriptions when it has no subscription type', async () => {
    const started = start();
    const client = await started.subscribe('subscription { stockChanged { id } }');
    await started.replan({ stock: stock.replace(/type Subscription .*/, ''), products });
    await expect(client.next()).rejects.toMatchObject(supergraphChanged);
    expect(started.timers.pendingCount).toBe(0);
  });

  test('replans a subscription that was prepared before it and starts after it', async () => {
    const started = start();
    const first = await started.subscribe(whole);
    await started.replan(withTitles);
    await expect(first.next()).rejects.toMatchObject(supergraphChanged);
    // The test's pipeline still prepares operations for the previous supergraph.
    const later = await started.subscribe(whole);
    await expect(later.next()).rejects.toMatchObject(supergraphChanged);
  });

  const busy = new GatewayError('OVERLOADED', 'too many operations');
  const failed = new GatewayError('PLANNING_FAILED', 'the planner was lost');

  test('keeps a subscription that cannot be planned temporarily, and plans it later', async () => {
    const started = start();
    const { source, timers } = started;
    const client = await started.subscribe(whole);
    const failures = [busy, failed, busy];
    await started.replan(ownNames, failures);
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
    for (const { length } of [failures, failures]) {
      expect([source.subscriptions.length, length, timers.pendingCount]).toEqual([1, failures.length, 1]);
      timers.advance(10_000);
      await waitForTurns(50);
    }
    expect(failures).toEqual([]);
    expect(source.subscriptions).toHaveLength(1);
    timers.advance(10_000);
    while (source.subscriptions.length === 1) await waitForTurns();
    expect(source.at(1).request.query).toContain('name');
    expect(timers.pendingCount).toBe(0);
    await client.leave();
  });

  test.each(['PLANNING_FAILED', 'EXTENSION_FAILED'] as const)(
    'ends a subscription that still cannot be planned after several attempts: %s',
    async (code) => {
      const started = start();
      const client = await started.subscribe(whole);
      // Those that an overload has prevented are not counted.
      const failures = [busy, busy, ...Array.from({ length: 5 }, () => new GatewayError(code, 'not now'))];
      await started.replan(ownNames, failures);
      for (let attempt = 1; attempt < 7; attempt++) {
        expect(started.timers.pendingCount).toBe(1);
        started.timers.advance(10_000);
        await waitForTurns(50);
      }
      await expect(client.next()).rejects.toMatchObject(supergraphChanged);
      expect([failures, started.timers.pendingCount]).toEqual([[], 0]);
    },
  );

  test('ends a subscription that is too complex at once', async () => {
    const started = start();
    const client = await started.subscribe(whole);
    await started.replan(ownNames, [new GatewayError('OPERATION_TOO_COMPLEX', 'far too much')]);
    await expect(client.next()).rejects.toMatchObject(supergraphChanged);
    expect(started.timers.pendingCount).toBe(0);
  });

  /** Another subgraph has the names, and subscriptions have no argument. */
  const movedNames = {
    stock: stock.replace('(warehouse: ID)', ''),
    products: products.replace('name: String', 'weight: Int'),
    names: `${federation} type Product @key(fields: "id") { id: ID! name: String }`,
  };

  test.each([
    ['live', undefined],
    ['behind', '5-0'],
  ])(
    'ends a subscription that has no headers for a subgraph of its new plan, and replans the others: one that is %s',
    async (_, resumeAfter) => {
      const started = start({}, {}, () => (subgraph) => {
        if (subgraph === 'names') throw new GatewayError('EXTENSION_FAILED', 'no headers');
        return noForwardedHeaders;
      });
      const query = 'subscription { stockChanged { name } }';
      const named = await started.subscribe(query, {}, undefined, resumeAfter);
      const other = await started.subscribe('subscription { stockChanged(warehouse: "north") { stock } }');
      await started.replan(movedNames);
      await expect(named.next()).rejects.toThrow('no headers');
      await expect(other.next()).rejects.toMatchObject(supergraphChanged);
      expect(started.source.subscriptions.map(({ isCancelled }) => isCancelled)).toEqual([true, true]);
    },
  );

  test('ends a subscription for the clients that share it and have other headers for a subgraph of its new plan', async () => {
    let tenant = 'a';
    const started = start({}, {}, () => {
      const own = { key: tenant, pairs: ['x-tenant', tenant] };
      return (subgraph) => {
        if (subgraph !== 'names') return noForwardedHeaders;
        if (own.key === 'refused') throw new GatewayError('EXTENSION_FAILED', 'no headers');
        return own;
      };
    });
    const subscribeAs = (name: string) => {
      tenant = name;
      return started.subscribe('subscription { stockChanged { stock name } }');
    };
    const [first, equal] = [await subscribeAs('a'), await subscribeAs('a')];
    const different = [await subscribeAs('b'), await subscribeAs('refused')];
    await started.replan(movedNames);
    for (const client of different) await expect(client.next()).rejects.toMatchObject(supergraphChanged);
    started.source.at(0).receiver.onComplete();
    expect([await first.next(), await equal.next()]).toEqual(['done', 'done']);
  });

  describe('that protects fields', () => {
    const protectedNames = {
      stock,
      products: products
        .replace('["@key"]', '["@key", "@authenticated"]')
        .replace('name: String', 'name: String @authenticated'),
    };

    test('decides what the client of a subscription may read', async () => {
      const started = start();
      const client = await started.subscribe(whole);
      await started.replan(protectedNames);
      started.source.at(0).send(changed('1', 5));
      expect(await client.next()).toMatchObject({
        data: { stockChanged: { stock: 5, name: null } },
        errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
      });
    });

    test('ends a subscription for all clients that share it except the first one, also when that one has left', async () => {
      const started = start();
      const names = 'subscription { stockChanged { name } }';
      const [first, second, third, fourth] = [
        await started.subscribe(whole),
        await started.subscribe(whole),
        await started.subscribe(names),
        await started.subscribe(names),
      ];
      await third.leave();
      await started.replan(protectedNames);
      for (const client of [second, fourth])
        await expect(client.next()).rejects.toMatchObject(supergraphChanged);
      started.source.at(0).send(changed('1', 5));
      expect(await first.next()).toMatchObject({ data: { stockChanged: { stock: 5, name: null } } });
      expect(started.source.at(1).isCancelled).toBe(true);
    });

    test('does not end a subscription that clients share if its fields are not among them', async () => {
      const started = start();
      const clients = [await started.subscribe(stockOnly), await started.subscribe(stockOnly)];
      await started.replan(protectedNames);
      started.source.at(0).send(changed('1', 5));
      for (const client of clients) expect(await client.next()).toEqual(stockOf(5));
    });
  });
});
