import { describe, expect, test } from '@jest/globals';
import { apolloHeartbeatMs, startApolloUpstream } from '../../../harness/callbackUpstream.ts';

describe('with the plugin of Apollo Server', () => {
  test('delivers the events in order, then the completion', async () => {
    await using upstream = await startApolloUpstream();
    const { sourceFixture } = upstream;
    const { receiver } = sourceFixture.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    upstream.ticks.push(2);
    upstream.ticks.push(3);
    upstream.ticks.end();
    expect(await receiver.waitForLog(4)).toEqual([
      '{"tick":"1"}',
      '{"tick":"2"}',
      '{"tick":"3"}',
      'complete',
    ]);
    expect(sourceFixture.acceptedSubgraphs).toEqual(['reviews']);
    expect(sourceFixture.outcomes).toEqual(['checked', 'accepted', 'accepted', 'accepted', 'completed']);
    expect(sourceFixture.clock.pendingCount).toBe(0);
  });

  test('does not answer an event while paused, so that the subgraph sends no more', async () => {
    await using upstream = await startApolloUpstream();
    const { sourceFixture } = upstream;
    const { receiver, flow } = sourceFixture.subscribe();
    await upstream.ticks.waitForListeners(1);
    flow?.pause();
    for (const value of [1, 2, 3]) upstream.ticks.push(value);
    await receiver.waitForLog(1);
    sourceFixture.clock.advance(10 * apolloHeartbeatMs);
    expect([receiver.log, sourceFixture.outcomes]).toEqual([['{"tick":"1"}'], ['checked']]);
    flow?.resume();
    expect(await receiver.waitForLog(3)).toEqual(['{"tick":"1"}', '{"tick":"2"}', '{"tick":"3"}']);
  });

  test('delivers the errors and the size of an event', async () => {
    await using upstream = await startApolloUpstream();
    const { sourceFixture } = upstream;
    const { receiver } = sourceFixture.subscribe({ query: 'subscription { broken }' });
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    await receiver.waitForLog(1);
    expect(receiver.events).toMatchObject([
      { data: { broken: null }, errors: [{ message: 'broken field', path: ['broken'] }] },
    ]);
    expect(receiver.events[0]?.size).toBeGreaterThan(80);
  });

  test('reports the error with which the subgraph ends the subscription', async () => {
    await using upstream = await startApolloUpstream();
    const { sourceFixture } = upstream;
    const { receiver } = sourceFixture.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.fail('source broke');
    const [news] = await receiver.waitForLog(1);
    expect(news).toMatch(/^error SUBGRAPH_ERROR \[\{"message":"source broke"/);
  });

  test('reports that the operation is not valid at the subgraph', async () => {
    await using upstream = await startApolloUpstream();
    const { sourceFixture } = upstream;
    const { receiver } = sourceFixture.subscribe({ query: 'subscription { nonsense }' });
    const [news] = await receiver.waitForLog(1);
    expect(news).toMatch(/^error SUBGRAPH_ERROR \[\{"message":/);
    // A check, and the plugin's attempt to complete a subscription that it never started.
    await sourceFixture.waitUntil(() => sourceFixture.outcomes.length === 2);
    expect(sourceFixture.clock.pendingCount).toBe(0);
  });

  test('after a cancel, the next event ends the subscription at the subgraph', async () => {
    await using upstream = await startApolloUpstream();
    const { sourceFixture } = upstream;
    const { receiver, cancel } = sourceFixture.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    await receiver.waitForLog(1);
    cancel();
    expect(sourceFixture.clock.pendingCount).toBe(0);
    upstream.ticks.push(2);
    await upstream.ticks.waitForListeners(0);
    expect(receiver.log).toEqual(['{"tick":"1"}']);
  });

  test('sends the headers of the request', async () => {
    await using upstream = await startApolloUpstream();
    const { sourceFixture } = upstream;
    sourceFixture.subscribe({
      headers: { key: 'authorization:Bearer 1', pairs: ['authorization', 'Bearer 1'] },
      traceHeaders: ['traceparent', '00-1-2-01'],
    });
    await upstream.ticks.waitForListeners(1);
    expect(upstream.headers).toMatchObject([
      { authorization: 'Bearer 1', 'x-request-id': 'request-1', traceparent: '00-1-2-01' },
    ]);
  });

  test('stays subscribed while the subgraph sends checks', async () => {
    await using upstream = await startApolloUpstream({ heartbeatMs: 5 });
    const { sourceFixture } = upstream;
    const { receiver } = sourceFixture.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    await receiver.waitForLog(1);
    for (let interval = 0; interval < 5; interval++) {
      const before = sourceFixture.outcomes.length;
      await sourceFixture.waitUntil(() => sourceFixture.outcomes.length > before);
      sourceFixture.clock.advance(5);
    }
    expect(receiver.log).toEqual(['{"tick":"1"}']);
  });
});
