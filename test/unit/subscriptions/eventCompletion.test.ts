import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import {
  changed,
  complete,
  holdNames,
  names,
  start,
  streamed,
  whole,
  withCursor,
} from './subscriptionFixture.ts';

describe('events', () => {
  test('are completed with fields of other subgraphs', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole, { w: 'north' });
    expect(source.at(0).request).toMatchObject({ subgraph: 'stock', variables: { w: 'north' } });
    source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual(complete('1', 5));
    source.at(0).receiver.onComplete();
    expect(await client.next()).toBe('done');
  });

  test('keep their order when the first one takes longer to complete', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const release = holdNames();
    source.at(0).send(changed('1', 1));
    await waitForTurns(2);
    names.gate = Promise.resolve();
    source.at(0).send(changed('2', 2));
    release();
    expect(await client.take(2)).toEqual([complete('1', 1), complete('2', 2)]);
  });

  test('have their own errors and those of the fields that they lack', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    source.at(0).send({ stockChanged: null }, [{ message: 'broken', path: ['stockChanged'] }]);
    expect(await client.next()).toMatchObject({
      data: { stockChanged: null },
      errors: [{ path: ['stockChanged'] }],
    });
    source.at(0).send(changed('lost', 3));
    expect(await client.next()).toMatchObject({
      data: { stockChanged: { id: 'lost', stock: 3, name: null } },
      errors: [{ path: ['stockChanged', 'name'] }],
    });
    source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual(complete('1', 5));
  });

  test('are sent in parts to a client that accepts incremental delivery', async () => {
    const { source, subscribe } = start();
    const query = 'subscription { stockChanged { id stock ... @defer { name } } }';
    const client = await subscribe(query, {}, 'deferSpec=20220824');
    const release = holdNames();
    source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual({ data: { stockChanged: { id: '1', stock: 5 } }, hasNext: true });
    release();
    expect(await client.next()).toEqual({
      incremental: [{ data: { name: 'name of 1' }, path: ['stockChanged'] }],
      hasNext: false,
    });
    const other = await subscribe(query);
    source.at(1).send(changed('2', 5));
    expect(await other.next()).toEqual(complete('2', 5));
  });

  test('have the cursor in their payload, also when they fail', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    source.at(0).receiver.onEvent(streamed(1));
    expect(await client.next()).toEqual(withCursor(1));
    const completionFor = () => {
      throw new GatewayError('OVERLOADED', 'no room');
    };
    source.at(0).receiver.onEvent(streamed(2));
    source.at(0).receiver.onEvent(streamed(3, { completionFor }));
    expect(await client.nextCursor()).toBe('2-0');
    expect(await client.next()).toMatchObject({
      errors: [{ message: 'no room' }],
      extensions: { tributary: { cursor: '3-0' } },
    });
  });

  test('that fail because of a defect are reported with the request id, and do not end the subscription', async () => {
    const faults: unknown[] = [];
    const { source, subscribe } = start({
      onInternalError: (cause, requestId) => faults.push([cause, requestId]),
    });
    const client = await subscribe(whole);
    const defect = new TypeError('a defect');
    const completionFor = () => {
      throw defect;
    };
    source.at(0).receiver.onEvent(streamed(1, { completionFor }));
    source.at(0).receiver.onEvent(streamed(2));
    expect(await client.next()).toMatchObject({
      data: null,
      errors: [{ message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
    });
    expect(await client.next()).toEqual(withCursor(2));
    expect(faults).toEqual([[defect, 'local']]);
  });

  test('have the cursor in the last of several payloads', async () => {
    const { source, subscribe } = start();
    const query = 'subscription { stockChanged { id stock ... @defer { name } } }';
    for (const format of ['deferSpec=20220824', 'incrementalSpec=v0.2'] as const) {
      const client = await subscribe(query, {}, format);
      const release = holdNames();
      source.subscriptions.at(-1)?.receiver.onEvent(streamed(1));
      const first = await client.next();
      release();
      const last = await client.next();
      expect(first).not.toHaveProperty('extensions');
      expect(last).toMatchObject({ hasNext: false, extensions: { tributary: { cursor: '1-0' } } });
    }
  });
});
