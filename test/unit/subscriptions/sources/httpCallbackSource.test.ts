import { describe, expect, test } from '@jest/globals';
import { createHttpCallbackSource } from '../../../../gateway/subscriptions/sources/httpCallbackSource.ts';
import {
  readSubscriptionCallback,
  sendCallback,
  startCallbackSource,
} from '../../../harness/callbackUpstream.ts';
import { hang, json, reset, type Script, text } from '../../../harness/scriptedSubgraph.ts';
import {
  connectTimeoutMs,
  createSourceFixture,
  firstDelayMs,
  heartbeatMs,
  RecordingReceiver,
} from '../../../harness/sourceFixture.ts';
import {
  accepted,
  acceptedSubscription,
  lostSubscription,
  promise,
  startCallbacks,
  tick,
  twoSubscriptions,
} from './callbackFixture.ts';

describe('the POST to the subgraph', () => {
  test('has a callback URL, an id and a verifier of its own', async () => {
    await using at = await startCallbacks();
    at.subscribe({ variables: { only: 'a' } });
    at.subscribe();
    await at.upstream.waitForRequests(2);
    const [first, second] = at.upstream.requests.map(readSubscriptionCallback);
    expect(at.upstream.requests[0]?.headers.get('accept')).toBe('application/json;callbackSpec=1.0');
    expect(at.upstream.requests[0]?.headers.get('content-type')).toBe('application/json');
    expect(at.upstream.requests[0]?.headers.has('tributary-deadline-ms')).toBe(false);
    expect(JSON.parse(at.upstream.requests[0]?.body ?? '')).toEqual({
      query: 'subscription { tick }',
      variables: { only: 'a' },
      extensions: {
        subscription: {
          callbackUrl: expect.stringMatching(new RegExp(`/callback/${first?.subscriptionId}$`)),
          subscriptionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          verifier: expect.stringMatching(/^[0-9a-f]{64}$/),
          heartbeatIntervalMs: heartbeatMs,
        },
      },
    });
    expect(second?.subscriptionId).not.toBe(first?.subscriptionId);
    expect(second?.verifier).not.toBe(first?.verifier);
  });

  test('can be checked before it is answered, which does not accept the subscription', async () => {
    await using at = await startCallbacks();
    const checks: number[] = [];
    at.upstream.enqueueScripts(async (exchange) => {
      checks.push(await sendCallback(readSubscriptionCallback(exchange.request), 'check'));
      checks.push(at.acceptedSubgraphs.length);
      await promise(exchange);
    });
    const { receiver } = at.subscribe();
    const subscribed = await accepted(at);
    expect(checks).toEqual([204, 0]);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(await sendCallback(subscribed, 'complete')).toBe(202);
    expect(receiver.log).toEqual(['{"tick":1}', 'complete']);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('is accepted by an event before or instead of the answer', async () => {
    await using at = await startCallbacks();
    const { receiver } = at.subscribe();
    await at.upstream.waitForRequests(1);
    const subscribed = readSubscriptionCallback(at.upstream.requests[0]);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(at.acceptedSubgraphs).toEqual(['reviews']);
    at.clock.advance(connectTimeoutMs - 1);
    await sendCallback(subscribed, 'check');
    at.clock.advance(1);
    await at.upstream.requests[0]?.connectionClosed;
    expect(await sendCallback(subscribed, 'next', tick(2))).toBe(200);
    expect(receiver.log).toEqual(['{"tick":1}', '{"tick":2}']);
    expect(at.upstream.requests).toHaveLength(1);
  });

  test.each<[string, Script, string]>([
    ['errors', json({ data: null, errors: [{ message: 'no' }] }), 'error SUBGRAPH_ERROR [{"message":"no"}]'],
    [
      'errors and a status',
      (exchange) =>
        exchange.respond({ status: 503, body: '{"errors":[{"message":"away","failureStatus":503}]}' }),
      'error SUBGRAPH_UNREACHABLE [{"message":"away","failureStatus":503}]',
    ],
    ['a status', (exchange) => exchange.respond({ status: 403, body: 'no' }), 'error SUBGRAPH_ERROR'],
    [
      'a status and no reason',
      (exchange) =>
        exchange.respond({
          status: 404,
          headers: { 'content-type': 'application/graphql-response+json' },
          body: '{"data":null}',
        }),
      'error SUBGRAPH_ERROR',
    ],
    ['a result', json({ data: { tick: 1 } }), 'error SUBGRAPH_INVALID_RESPONSE'],
    ['something else', text('<html>'), 'error SUBGRAPH_INVALID_RESPONSE'],
  ])('is refused by %s instead of a promise to call back', async (_, script, news) => {
    await using at = await startCallbacks();
    at.upstream.enqueueScripts(script);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual([news]);
    expect(await sendCallback(readSubscriptionCallback(at.upstream.requests[0]), 'check')).toBe(404);
    expect(at.clock.pendingCount).toBe(0);
    expect(at.acceptedSubgraphs).toEqual([]);
  });

  test('fails when the subgraph does not answer within connectTimeout', async () => {
    await using at = await startCallbacks();
    const { receiver } = at.subscribe();
    await at.upstream.waitForRequests(1);
    await sendCallback(readSubscriptionCallback(at.upstream.requests[0]), 'check');
    at.clock.advance(connectTimeoutMs);
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_TIMEOUT']);
    expect(receiver.error?.message).toContain('(subscriptions.connectTimeout)');
    expect(at.clock.pendingCount).toBe(0);
  });

  test('is sent again once, with another id, when an idle connection was closed', async () => {
    await using at = await startCallbacks();
    at.upstream.enqueueScripts(reset, promise, reset, reset);
    at.subscribe();
    const second = await accepted(at, 2);
    const first = readSubscriptionCallback(at.upstream.requests[0]);
    expect(second.subscriptionId).not.toBe(first.subscriptionId);
    expect([await sendCallback(first, 'check'), await sendCallback(second, 'check')]).toEqual([404, 204]);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
    expect(at.upstream.requests).toHaveLength(4);
  });

  test('fails when the subgraph or the callback URL is unknown', async () => {
    const source = createHttpCallbackSource({
      endpoint: () => {
        throw new Error('no such subgraph');
      },
      callbackUrl: () => '',
      createId: () => '',
    });
    const lost = new RecordingReceiver();
    source.subscribe(createSourceFixture(() => source, '').request(), lost);
    expect(lost.log).toEqual([]);
    expect(await lost.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
    await source.close();

    await using at = await startCallbackSource('http://127.0.0.1:9/', {}, () => {
      throw new Error('not listening yet');
    });
    const cancelled = at.subscribe();
    cancelled.cancel();
    const { receiver } = at.subscribe();
    expect(receiver.log).toEqual([]);
    expect(await receiver.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
    expect(cancelled.receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });
});

describe('a subgraph without heartbeats', () => {
  test('is subscribed again with another id, and the receiver is notified', async () => {
    await using at = await startCallbacks();
    const { receiver, subscribed: first } = await acceptedSubscription(at);
    await sendCallback(first, 'next', tick(1));
    at.clock.advance(heartbeatMs);
    at.clock.advance(3 * heartbeatMs - 1);
    expect(receiver.log).toEqual(['{"tick":1}']);
    at.clock.advance(1);
    expect(receiver.log).toEqual(['{"tick":1}', 'interrupted SUBGRAPH_UNREACHABLE']);
    expect(await sendCallback(first, 'next', tick(2))).toBe(404);

    at.upstream.enqueueScripts(promise);
    at.clock.advance(firstDelayMs);
    await at.upstream.waitForRequests(2);
    expect(await receiver.waitForLog(3)).toEqual([
      '{"tick":1}',
      'interrupted SUBGRAPH_UNREACHABLE',
      'resubscribed',
    ]);
    const second = readSubscriptionCallback(at.upstream.requests[1]);
    expect(second.subscriptionId).not.toBe(first.subscriptionId);
    expect(await sendCallback(second, 'next', tick(3))).toBe(200);
    expect(await sendCallback(first, 'check')).toBe(404);
    expect(receiver.log.slice(3)).toEqual(['{"tick":3}']);
  });

  test('is reported as subscribed again before events that arrive before the answer', async () => {
    await using at = await startCallbacks();
    const { receiver } = await lostSubscription(at);
    at.clock.advance(firstDelayMs);
    await at.upstream.waitForRequests(2);
    await sendCallback(readSubscriptionCallback(at.upstream.requests[1]), 'next', tick(1));
    expect(receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE', 'resubscribed', '{"tick":1}']);
  });

  test.each([
    ['its current one is invalid', 'http://:nonsense/'],
    ['a new supergraph without it is about to end its subscriptions', undefined],
  ])('is subscribed again at its earlier URL while %s', async (_, url) => {
    await using at = await startCallbacks();
    const { receiver } = await lostSubscription(at);
    at.move(url);
    at.upstream.enqueueScripts(promise);
    at.clock.advance(firstDelayMs);
    expect(await receiver.waitForLog(2)).toEqual(['interrupted SUBGRAPH_UNREACHABLE', 'resubscribed']);
  });

  test('fails after reconnect.attempts attempts', async () => {
    await using at = await startCallbacks();
    const { receiver } = await lostSubscription(at);
    at.upstream.setDefaultScript((exchange) => exchange.respond({ status: 503, body: '' }));
    const known = at.delaysMs.length;
    at.clock.advance(firstDelayMs);
    await at.upstream.waitForRequests(2);
    await at.waitUntil(() => at.delaysMs.at(-1) === 2 * firstDelayMs);
    expect(receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE']);
    at.clock.advance(2 * firstDelayMs);
    expect(await receiver.waitForLog(2)).toEqual([
      'interrupted SUBGRAPH_UNREACHABLE',
      'error SUBGRAPH_UNREACHABLE',
    ]);
    expect(at.delaysMs.slice(known)).toEqual([connectTimeoutMs, 2 * firstDelayMs, connectTimeoutMs]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('is not subscribed again after a refusal', async () => {
    await using at = await startCallbacks();
    const { receiver } = await lostSubscription(at);
    at.upstream.enqueueScripts((exchange) => exchange.respond({ status: 403, body: '' }));
    at.clock.advance(firstDelayMs);
    expect((await receiver.waitForLog(2)).slice(1)).toEqual(['error SUBGRAPH_ERROR']);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('is not subscribed again after a cancel', async () => {
    await using at = await startCallbacks();
    const { receiver, cancel } = await lostSubscription(at);
    cancel();
    cancel();
    expect(at.clock.pendingCount).toBe(0);
    expect(at.upstream.requests).toHaveLength(1);
    expect(receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE']);
  });

  test('stays subscribed while it sends checks', async () => {
    await using at = await startCallbacks();
    const { receiver, subscribed } = await acceptedSubscription(at);
    for (let round = 0; round < 4; round++) {
      at.clock.advance(2 * heartbeatMs);
      expect(await sendCallback(subscribed, 'check')).toBe(204);
    }
    expect(receiver.log).toEqual([]);
  });

  test('gets answers to checks while its events wait', async () => {
    await using at = await startCallbacks();
    const { receiver, flow, subscribed } = await acceptedSubscription(at);
    flow?.pause();
    const events = [1, 2].map((value) => sendCallback(subscribed, 'next', tick(value)));
    await receiver.waitForLog(1);
    expect(await sendCallback(subscribed, 'check')).toBe(204);
    expect(receiver.log).toHaveLength(1);
    flow?.resume();
    expect(await Promise.all(events)).toEqual([200, 200]);
    expect(receiver.log.toSorted()).toEqual(['{"tick":1}', '{"tick":2}']);
  });

  test('stays subscribed without heartbeats when the heartbeat interval is 0', async () => {
    await using at = await startCallbacks({ heartbeatMs: 0 });
    const { subscribed } = await acceptedSubscription(at);
    expect(subscribed.heartbeatIntervalMs).toBe(0);
    expect(at.clock.pendingCount).toBe(0);
  });
});

describe('ends by the gateway', () => {
  test('a cancel before the answer aborts the POST', async () => {
    await using at = await startCallbacks();
    at.upstream.enqueueScripts(hang);
    const { receiver, cancel } = at.subscribe();
    await at.upstream.waitForRequests(1);
    cancel();
    await at.upstream.requests[0]?.connectionClosed;
    expect(await sendCallback(readSubscriptionCallback(at.upstream.requests[0]), 'check')).toBe(404);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a cancel while paused lets the events in flight be answered', async () => {
    await using at = await startCallbacks();
    const { receiver, cancel, flow, subscribed } = await acceptedSubscription(at);
    flow?.pause();
    const sent = sendCallback(subscribed, 'next', tick(1));
    await receiver.waitForLog(1);
    cancel();
    expect(await sent).toBe(200);
  });

  test('closing the source ends all subscriptions without notifying receivers, and accepts no new ones', async () => {
    await using at = await startCallbacks();
    const { subscribed, receiver } = await twoSubscriptions(at);
    at.upstream.enqueueScripts(hang);
    const third = at.subscribe();
    await at.upstream.waitForRequests(3);
    await at.source.close();
    await at.source.close();
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(404);
    expect(at.clock.pendingCount).toBe(0);
    const later = at.subscribe();
    expect(await later.receiver.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
    expect([receiver.log, third.receiver.log]).toEqual([[], []]);
  });
});
