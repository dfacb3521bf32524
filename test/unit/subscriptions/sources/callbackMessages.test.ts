import { describe, expect, test } from '@jest/globals';
import { maxEventBytes, sendCallback } from '../../../harness/callbackUpstream.ts';
import { postJson } from '../../../harness/postJson.ts';
import {
  accepted,
  acceptedSubscription,
  promise,
  startCallbacks,
  tick,
  twoSubscriptions,
} from './callbackFixture.ts';

describe('messages of the subgraph', () => {
  test('a message that is malformed or has a wrong verifier has no effect', async () => {
    await using at = await startCallbacks();
    const { subscribed, other, receiver } = await twoSubscriptions(at);
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
    await using at = await startCallbacks();
    const { subscribed, other, receiver, cancel } = await twoSubscriptions(at);
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
    await using at = await startCallbacks();
    const { receiver, subscribed } = await acceptedSubscription(at);
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
    await using at = await startCallbacks();
    const { receiver, subscribed } = await acceptedSubscription(at);
    expect(await sendCallback(subscribed, 'complete', more)).toBe(status);
    expect(receiver.log).toEqual([news]);
  });

  test('a message whose event is too large or malformed ends its own subscription', async () => {
    await using at = await startCallbacks();
    const { subscribed, other, receiver } = await twoSubscriptions(at);
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
    await using at = await startCallbacks();
    const { subscribed, other, receiver } = await twoSubscriptions(at);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(await sendCallback(subscribed, 'next', tick('x'.repeat(3 * maxEventBytes)))).toBe(413);
    expect(receiver.log).toEqual(['{"tick":1}', 'error SUBGRAPH_INVALID_RESPONSE']);
    expect(await sendCallback(subscribed, 'next', tick(2))).toBe(404);
    expect(await sendCallback(other, 'check')).toBe(204);
  });

  test('a message over the body limit ends its own subscription if the verifier is after the event', async () => {
    await using at = await startCallbacks();
    const { subscribed, receiver } = await twoSubscriptions(at);
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
    await using at = await startCallbacks();
    const { subscribed, receiver } = await twoSubscriptions(at);
    const forged = { ...more, padding: 'x'.repeat(3 * maxEventBytes) };
    expect(await sendCallback(subscribed, 'next', forged)).toBe(413);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(receiver.log).toEqual(['{"tick":1}']);
  });

  test('a receiver can cancel within onEvent', async () => {
    await using at = await startCallbacks();
    at.upstream.enqueueScripts(promise);
    const { receiver, cancel } = at.subscribe();
    receiver.onLogEntry = () => cancel();
    const subscribed = await accepted(at);
    expect(await sendCallback(subscribed, 'next', tick(1))).toBe(200);
    expect(await sendCallback(subscribed, 'next', tick(2))).toBe(404);
    expect(receiver.log).toEqual(['{"tick":1}']);
    expect(at.clock.pendingCount).toBe(0);
  });
});
