import type { SourceEndpoint } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import {
  type CallbackSourceFixture,
  readSubscriptionCallback,
  type SubscriptionCallback,
  startCallbackSource,
} from '../../../harness/callbackUpstream.ts';
import { json, type ScriptedSubgraph, startScriptedSubgraph } from '../../../harness/scriptedSubgraph.ts';
import { heartbeatMs, type TestSubscription } from '../../../harness/sourceFixture.ts';

type Callbacks = CallbackSourceFixture & { readonly upstream: ScriptedSubgraph };

/** A source, and a subgraph whose answers the test scripts. */
export async function startCallbacks(more?: Partial<SourceEndpoint>): Promise<Callbacks> {
  const upstream = await startScriptedSubgraph();
  const source = await startCallbackSource(upstream.url, more);
  const close = source[Symbol.asyncDispose];
  return Object.assign(source, {
    upstream,
    [Symbol.asyncDispose]: async () => {
      await close();
      await upstream[Symbol.asyncDispose]();
    },
  });
}

/** The answer that promises to call back. */
export const promise = json({ data: null }, 'application/json');

export const tick = (value: unknown) => ({ payload: { data: { tick: value } } });

/** The subscription extension of the last request, after the subscription was accepted. */
export async function accepted(at: Callbacks, count = 1): Promise<SubscriptionCallback> {
  await at.upstream.waitForRequests(count);
  await at.waitUntil(() => at.acceptedSubgraphs.length > 0);
  return readSubscriptionCallback(at.upstream.requests[count - 1]);
}

/** A subscription that was accepted, with what the subgraph was sent. */
export async function acceptedSubscription(
  at: Callbacks,
): Promise<TestSubscription & { readonly subscribed: SubscriptionCallback }> {
  at.upstream.enqueueScripts(promise);
  const subscription = at.subscribe();
  return { ...subscription, subscribed: await accepted(at) };
}

/** Two subscriptions: `subscribed` with its receiver, and `other`, which `cancel` ends. */
export async function twoSubscriptions(at: Callbacks) {
  const { receiver, subscribed } = await acceptedSubscription(at);
  at.upstream.enqueueScripts(promise);
  const { cancel } = at.subscribe();
  await at.upstream.waitForRequests(2);
  return { subscribed, other: readSubscriptionCallback(at.upstream.requests[1]), receiver, cancel };
}

/** A subscription that was accepted, then interrupted for lack of heartbeats. */
export async function lostSubscription(at: Callbacks): Promise<TestSubscription> {
  const subscription = await acceptedSubscription(at);
  at.clock.advance(3 * heartbeatMs);
  return subscription;
}
