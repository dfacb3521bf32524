import { describe, expect, test } from '@jest/globals';
import { createHttpCallbackSource } from '../../../../gateway/subscriptions/sources/httpCallbackSource.ts';
import {
  apolloHeartbeatMs,
  type CallbackSourceFixture,
  maxEventBytes,
  readSubscriptionCallback,
  type SubscriptionCallback,
  sendCallback,
  startApolloUpstream,
  startCallbackSource,
} from '../../../harness/callbackUpstream.ts';
import { postJson } from '../../../harness/postJson.ts';
import {
  hang,
  json,
  reset,
  type Script,
  type ScriptedSubgraph,
  startScriptedSubgraph,
  text,
} from '../../../harness/scriptedSubgraph.ts';
import {
  connectTimeoutMs,
  createSourceFixture,
  firstDelayMs,
  heartbeatMs,
  RecordingReceiver,
  type TestSubscription,
} from '../../../harness/sourceFixture.ts';

const promise = json({ data: null }, 'application/json');

const tick = (value: unknown) => ({ payload: { data: { tick: value } } });

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

describe('the POST to the subgraph', () => {
  test('has a callback URL, an id and a verifier of its own', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    at.subscribe({ variables: { only: 'a' } });
    at.subscribe();
    await upstream.waitForRequests(2);
    const [first, second] = upstream.requests.map(readSubscriptionCallback);
    expect(upstream.requests[0]?.headers.get('accept')).toBe('application/json;callbackSpec=1.0');
    expect(upstream.requests[0]?.headers.get('content-type')).toBe('application/json');
    expect(upstream.requests[0]?.headers.has('tributary-deadline-ms')).toBe(false);
    expect(JSON.parse(upstream.requests[0]?.body ?? '')).toEqual({
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
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const checks: number[] = [];
    upstream.enqueueScripts(async (exchange) => {
      checks.push(await sendCallback(readSubscriptionCallback(exchange.request), 'check'));
      checks.push(at.acceptedSubgraphs.length);
      await promise(exchange);
    });
    const { receiver } = at.subscribe();
    const subscribed = await accepted(upstream, at);
    expect(checks).toEqual([204, 0]);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(await sendCallback(subscribed, 'complete')).toBe(202);
    expect(receiver.log).toEqual(['{"tick":1}', 'complete']);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('is accepted by an event before or instead of the answer', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.waitForRequests(1);
    const subscribed = readSubscriptionCallback(upstream.requests[0]);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(at.acceptedSubgraphs).toEqual(['reviews']);
    at.clock.advance(connectTimeoutMs - 1);
    await sendCallback(subscribed, 'check');
    at.clock.advance(1);
    await upstream.requests[0]?.connectionClosed;
    expect(await sendCallback(subscribed, 'next', tick(2))).toBe(200);
    expect(receiver.log).toEqual(['{"tick":1}', '{"tick":2}']);
    expect(upstream.requests).toHaveLength(1);
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
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(script);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual([news]);
    expect(await sendCallback(readSubscriptionCallback(upstream.requests[0]), 'check')).toBe(404);
    expect(at.clock.pendingCount).toBe(0);
    expect(at.acceptedSubgraphs).toEqual([]);
  });

  test('fails when the subgraph does not answer within connectTimeout', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.waitForRequests(1);
    await sendCallback(readSubscriptionCallback(upstream.requests[0]), 'check');
    at.clock.advance(connectTimeoutMs);
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_TIMEOUT']);
    expect(receiver.error?.message).toContain('(subscriptions.connectTimeout)');
    expect(at.clock.pendingCount).toBe(0);
  });

  test('is sent again once, with another id, when an idle connection was closed', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(reset, promise, reset, reset);
    at.subscribe();
    const second = await accepted(upstream, at, 2);
    const first = readSubscriptionCallback(upstream.requests[0]);
    expect(second.subscriptionId).not.toBe(first.subscriptionId);
    expect([await sendCallback(first, 'check'), await sendCallback(second, 'check')]).toEqual([404, 204]);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
    expect(upstream.requests).toHaveLength(4);
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

describe('messages of the subgraph', () => {
  test('a message that is malformed or has a wrong verifier has no effect', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { subscribed, other, receiver } = await twoSubscriptions(upstream, at);
    expect(await sendCallback(subscribed, 'complete', { verifier: other.verifier })).toBe(401);
    expect(await sendCallback(subscribed, 'complete', { verifier: '' })).toBe(401);
    expect(await sendCallback(subscribed, 'complete', { verifier: `${subscribed.verifier}0` })).toBe(401);
    expect(
      await sendCallback(subscribed, 'complete', { verifier: subscribed.verifier.replace(/.$/, 'g') }),
    ).toBe(401);
    expect(await sendCallback(subscribed, 'complete', { verifier: 1 })).toBe(400);
    expect(await sendCallback(subscribed, 'complete', { kind: 'query' })).toBe(400);
    expect(
      await sendCallback(subscribed, 'complete', { id: other.subscriptionId, verifier: other.verifier }),
    ).toBe(400);
    expect(await sendCallback(subscribed, 'complete', { action: 1 })).toBe(400);
    expect(await sendCallback(subscribed, 'finish')).toBe(400);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(receiver.log).toEqual(['{"tick":1}']);
  });

  test('a message for an ended or unknown subscription is answered with 404', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { subscribed, other, receiver, cancel } = await twoSubscriptions(upstream, at);
    expect(await sendCallback(subscribed, 'complete')).toBe(202);
    expect(await sendCallback(subscribed, 'complete')).toBe(404);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(404);
    cancel();
    expect(await sendCallback(other, 'check')).toBe(404);
    const unknown = {
      ...subscribed,
      callbackUrl: subscribed.callbackUrl.replace(subscribed.subscriptionId, '__proto__'),
    };
    expect(await sendCallback(unknown, 'check')).toBe(404);
    expect(receiver.log).toEqual(['complete']);
  });

  test('a complete message with errors fails the subscription', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver } = at.subscribe();
    upstream.enqueueScripts(promise);
    const subscribed = await accepted(upstream, at);
    expect(
      await sendCallback(subscribed, 'complete', { errors: [{ message: 'broke', extensions: { a: 1 } }] }),
    ).toBe(202);
    expect(receiver.log).toEqual(['error SUBGRAPH_ERROR [{"message":"broke","extensions":{"a":1}}]']);
    expect(at.clock.pendingCount).toBe(0);
  });

  test.each([
    ['no errors', { errors: [] }, 202, 'complete'],
    ['null for errors', { errors: null }, 202, 'complete'],
    ['errors that are none', { errors: 'broke' }, 400, 'error SUBGRAPH_INVALID_RESPONSE'],
  ])('a complete message ends the subscription with %s', async (_, more, status, news) => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver } = at.subscribe();
    upstream.enqueueScripts(promise);
    const subscribed = await accepted(upstream, at);
    expect(await sendCallback(subscribed, 'complete', more)).toBe(status);
    expect(receiver.log).toEqual([news]);
  });

  test('a message whose event is too large or malformed ends its own subscription', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { subscribed, other, receiver } = await twoSubscriptions(upstream, at);
    const fitting = maxEventBytes - JSON.stringify(tick('').payload).length;
    expect(await sendCallback(subscribed, 'next', tick('x'.repeat(fitting)))).toBe(200);
    expect(await sendCallback(subscribed, 'next', tick('x'.repeat(maxEventBytes + 256)))).toBe(400);
    expect(receiver.log.slice(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(404);
    expect(await sendCallback(other, 'check')).toBe(204);
    expect(await sendCallback(other, 'next', { payload: 7 })).toBe(400);
    expect(await sendCallback(other, 'check')).toBe(404);
  });

  test('a message over the body limit ends its own subscription, and is answered with 413', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { subscribed, other, receiver } = await twoSubscriptions(upstream, at);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(await sendCallback(subscribed, 'next', tick('x'.repeat(3 * maxEventBytes)))).toBe(413);
    expect(receiver.log).toEqual(['{"tick":1}', 'error SUBGRAPH_INVALID_RESPONSE']);
    expect(await sendCallback(subscribed, 'next', tick(2))).toBe(404);
    expect(await sendCallback(other, 'check')).toBe(204);
  });

  test('a message over the body limit ends its own subscription if the verifier is after the event', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { subscribed, receiver } = await twoSubscriptions(upstream, at);
    // A member of the event has the name of the verifier.
    const payload = { data: { tick: 'x'.repeat(10 * maxEventBytes), verifier: 'x' } };
    const message = { action: 'next', id: subscribed.subscriptionId, kind: 'subscription', payload };
    const response = await postJson(subscribed.callbackUrl, { ...message, verifier: subscribed.verifier });
    expect(response.status).toBe(413);
    expect(receiver.log).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    expect(await sendCallback(subscribed, 'next', tick(2))).toBe(404);
  });

  test.each([
    ['with another verifier', { verifier: 'f'.repeat(64) }],
    ['without a verifier', { verifier: undefined }],
    ['whose event has the name of the verifier alone', { verifier: undefined, payload: { verifier: '' } }],
  ])('a message over the body limit %s does not end the subscription with its id', async (_, more) => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { subscribed, receiver } = await twoSubscriptions(upstream, at);
    const forged = { ...more, padding: 'x'.repeat(3 * maxEventBytes) };
    expect(await sendCallback(subscribed, 'next', forged)).toBe(413);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(receiver.log).toEqual(['{"tick":1}']);
  });

  test('a receiver can cancel within onEvent', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(promise);
    const { receiver, cancel } = at.subscribe();
    receiver.onLogEntry = () => cancel();
    const subscribed = await accepted(upstream, at);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(await sendCallback(subscribed, 'next', tick(2))).toBe(404);
    expect(receiver.log).toEqual(['{"tick":1}']);
    expect(at.clock.pendingCount).toBe(0);
  });
});

describe('a subgraph without heartbeats', () => {
  test('is subscribed again with another id, and the receiver is notified', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(promise);
    const { receiver } = at.subscribe();
    const first = await accepted(upstream, at);
    await sendCallback(first, 'next', tick(1));
    at.clock.advance(heartbeatMs);
    at.clock.advance(3 * heartbeatMs - 1);
    expect(receiver.log).toEqual(['{"tick":1}']);
    at.clock.advance(1);
    expect(receiver.log).toEqual(['{"tick":1}', 'interrupted SUBGRAPH_UNREACHABLE']);
    expect(await sendCallback(first, 'next', tick(2))).toBe(404);

    upstream.enqueueScripts(promise);
    at.clock.advance(firstDelayMs);
    await upstream.waitForRequests(2);
    expect(await receiver.waitForLog(3)).toEqual([
      '{"tick":1}',
      'interrupted SUBGRAPH_UNREACHABLE',
      'resubscribed',
    ]);
    const second = readSubscriptionCallback(upstream.requests[1]);
    expect(second.subscriptionId).not.toBe(first.subscriptionId);
    expect(await sendCallback(second, 'next', tick(3))).toBe(200);
    expect(await sendCallback(first, 'check')).toBe(404);
    expect(receiver.log.slice(3)).toEqual(['{"tick":3}']);
  });

  test('onResumed precedes events that arrive before the answer', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver } = await lostSubscription(upstream, at);
    at.clock.advance(firstDelayMs);
    await upstream.waitForRequests(2);
    await sendCallback(readSubscriptionCallback(upstream.requests[1]), 'next', tick(1));
    expect(receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE', 'resubscribed', '{"tick":1}']);
  });

  test('fails after reconnect.attempts attempts', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver } = await lostSubscription(upstream, at);
    upstream.setDefaultScript((exchange) => exchange.respond({ status: 503, body: '' }));
    const known = at.delaysMs.length;
    at.clock.advance(firstDelayMs);
    await upstream.waitForRequests(2);
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
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver } = await lostSubscription(upstream, at);
    upstream.enqueueScripts((exchange) => exchange.respond({ status: 403, body: '' }));
    at.clock.advance(firstDelayMs);
    expect((await receiver.waitForLog(2)).slice(1)).toEqual(['error SUBGRAPH_ERROR']);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('is not subscribed again after a cancel', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { receiver, cancel } = await lostSubscription(upstream, at);
    cancel();
    cancel();
    expect(at.clock.pendingCount).toBe(0);
    expect(upstream.requests).toHaveLength(1);
    expect(receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE']);
  });

  test('stays subscribed while it sends checks', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(promise);
    const { receiver } = at.subscribe();
    const subscribed = await accepted(upstream, at);
    for (let round = 0; round < 4; round++) {
      at.clock.advance(2 * heartbeatMs);
      expect(await sendCallback(subscribed, 'check')).toBe(204);
    }
    expect(receiver.log).toEqual([]);
  });

  test('gets answers to checks while its events wait', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(promise);
    const { receiver, flow } = at.subscribe();
    const subscribed = await accepted(upstream, at);
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
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url, { heartbeatMs: 0 });
    upstream.enqueueScripts(promise);
    at.subscribe();
    const subscribed = await accepted(upstream, at);
    expect(subscribed.heartbeatIntervalMs).toBe(0);
    expect(at.clock.pendingCount).toBe(0);
  });
});

describe('ends by the gateway', () => {
  test('a cancel before the answer aborts the POST', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(hang);
    const { receiver, cancel } = at.subscribe();
    await upstream.waitForRequests(1);
    cancel();
    await upstream.requests[0]?.connectionClosed;
    expect(await sendCallback(readSubscriptionCallback(upstream.requests[0]), 'check')).toBe(404);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a cancel while paused lets the events in flight be answered', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    upstream.enqueueScripts(promise);
    const { receiver, cancel, flow } = at.subscribe();
    const subscribed = await accepted(upstream, at);
    flow?.pause();
    const sent = sendCallback(subscribed, 'next', tick(1));
    await receiver.waitForLog(1);
    cancel();
    expect(await sent).toBe(200);
  });

  test('closing the source ends all subscriptions without notifying receivers, and accepts no new ones', async () => {
    await using upstream = await startScriptedSubgraph();
    await using at = await startCallbackSource(upstream.url);
    const { subscribed, receiver } = await twoSubscriptions(upstream, at);
    upstream.enqueueScripts(hang);
    const third = at.subscribe();
    await upstream.waitForRequests(3);
    await at.source.close();
    await at.source.close();
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(404);
    expect(at.clock.pendingCount).toBe(0);
    const later = at.subscribe();
    expect(await later.receiver.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
    expect([receiver.log, third.receiver.log]).toEqual([[], []]);
  });
});

/** The subscription extension of the last request, after the subscription was accepted. */
async function accepted(
  upstream: ScriptedSubgraph,
  at: CallbackSourceFixture,
  count = 1,
): Promise<SubscriptionCallback> {
  await upstream.waitForRequests(count);
  await at.waitUntil(() => at.acceptedSubgraphs.length > 0);
  return readSubscriptionCallback(upstream.requests[count - 1]);
}

interface TwoSubscriptions extends TestSubscription {
  readonly subscribed: SubscriptionCallback;
  readonly other: SubscriptionCallback;
}

/** Two subscriptions: `subscribed` with its receiver, and `other`, which `cancel` ends. */
async function twoSubscriptions(
  upstream: ScriptedSubgraph,
  at: CallbackSourceFixture,
): Promise<TwoSubscriptions> {
  upstream.enqueueScripts(promise, promise);
  const { receiver } = at.subscribe();
  const subscribed = await accepted(upstream, at);
  const { cancel } = at.subscribe();
  await upstream.waitForRequests(2);
  return { subscribed, other: readSubscriptionCallback(upstream.requests[1]), receiver, cancel };
}

/** A subscription that was accepted, then interrupted for lack of heartbeats. */
async function lostSubscription(
  upstream: ScriptedSubgraph,
  at: CallbackSourceFixture,
): Promise<TestSubscription> {
  upstream.enqueueScripts(promise);
  const subscribed = at.subscribe();
  await accepted(upstream, at);
  at.clock.advance(3 * heartbeatMs);
  return subscribed;
}
