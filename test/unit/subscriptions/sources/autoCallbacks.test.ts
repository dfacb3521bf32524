import { describe, expect, test } from '@jest/globals';
import { createAutoSource } from '../../../../gateway/subscriptions/sources/autoSource.ts';
import { buildCallbackUrl } from '../../../../gateway/subscriptions/sources/callbackReceiver.ts';
import { createHttpCallbackSource } from '../../../../gateway/subscriptions/sources/httpCallbackSource.ts';
import type { SourceOptions } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import {
  type CreateCallbackSource,
  readSubscriptionCallback,
  sendCallback,
  startApolloUpstream,
  startCallbackSource,
} from '../../../harness/callbackUpstream.ts';
import { type Script, startScriptedSubgraph } from '../../../harness/scriptedSubgraph.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

/** A source with protocol detection. `mayCallBack`: subgraphs can reach its callback URL. */
function auto(mayCallBack = true) {
  const chosen: string[] = [];
  const finder = { find: () => {} };
  const create: CreateCallbackSource = (options) => {
    const callbacks: ReturnType<CreateCallbackSource>[] = [];
    const createCallbackSource = (own: SourceOptions) => {
      const source = createHttpCallbackSource({ ...options, ...own });
      callbacks.push(source);
      return source;
    };
    const source = createAutoSource({
      ...options,
      ...(mayCallBack && { createCallbackSource }),
      onProtocolDetected: (subgraph, protocol) => {
        chosen.push(`${subgraph} ${protocol}`);
        options.onAccepted?.(subgraph);
      },
    });
    finder.find = () => source.detect(['reviews']);
    return {
      subscribe: (request, receiver) => source.subscribe(request, receiver),
      close: () => source.close(),
      isKnown: (id) => callbacks.some((one) => one.isKnown(id)),
      receive: (...message) => callbacks[0]?.receive(...message) ?? 'unknown',
      isVerifier: (id, verifier) => callbacks[0]?.isVerifier(id, verifier) === true,
      failTooLarge: (id) => callbacks[0]?.failTooLarge(id),
    };
  };
  return { create, chosen, find: () => finder.find() };
}

const answer =
  (status: number, body: unknown): Script =>
  (exchange) =>
    exchange.respond({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

const refused = answer(400, { errors: [{ message: 'not like this' }] });

/** The requests that the subgraph received, in order. */
const others = ['websocket', 'text/event-stream', 'multipart/mixed;subscriptionSpec=1.0, application/json'];
const byCallback = 'application/json;callbackSpec=1.0';

async function start(scripts: readonly Script[], mayCallBack = true) {
  const upstream = await startScriptedSubgraph();
  upstream.enqueueScripts(...scripts);
  const { create, chosen, find } = auto(mayCallBack);
  const at = await startCallbackSource(upstream.url, {}, buildCallbackUrl, create);
  return {
    upstream,
    at,
    chosen,
    find,
    accepts: () => upstream.requests.map(({ headers }) => headers.get('upgrade') ?? headers.get('accept')),
    [Symbol.asyncDispose]: async () => {
      await at[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

test('auto detects HTTP callback with the first subscription at an Apollo Server that supports nothing else', async () => {
  const { create, chosen, find } = auto();
  await using upstream = await startApolloUpstream({}, create);
  const { sourceFixture, ticks, headers } = upstream;
  find();
  while (headers.length < 1 || sourceFixture.clock.pendingCount > 0) await waitForTurns();
  // HTTP callback cannot be detected without a client's operation.
  expect(chosen).toEqual([]);
  const { receiver } = sourceFixture.subscribe();
  await ticks.waitForListeners(1);
  ticks.push(1);
  ticks.end();
  expect(await receiver.waitForLog(2)).toEqual(['{"tick":"1"}', 'complete']);
  expect(chosen).toEqual(['reviews http_callback']);
  const before = headers.length;
  const second = sourceFixture.subscribe();
  await ticks.waitForListeners(1);
  ticks.push(2);
  expect(await second.receiver.waitForLog(1)).toEqual(['{"tick":"2"}']);
  expect(headers).toHaveLength(before + 1);
  second.cancel();
});

describe('HTTP callback', () => {
  test('is tried when the subgraph refused all other protocols', async () => {
    const promise = answer(200, { data: null });
    await using started = await start([refused, refused, refused, promise]);
    const { receiver, flow } = started.at.subscribe();
    await started.at.waitUntil(() => started.chosen.length > 0);
    expect(started.chosen).toEqual(['reviews http_callback']);
    expect(flow?.acknowledgesEvents).toBe(true);
    const callback = readSubscriptionCallback(started.upstream.requests.at(-1));
    expect(await sendCallback(callback, 'next', { payload: { data: { tick: 1 } } })).toBe(200);
    expect(receiver.log).toEqual(['{"tick":1}']);
    expect(started.accepts()).toEqual([...others, byCallback]);
  });

  test.each([
    ['not where subgraphs cannot reach the gateway', refused, false],
    ['nor where one of the others may be had later', answer(503, {}), true],
    ['nor where the client may not know who it is', answer(401, {}), true],
  ])('is %s', async (_, last, mayCallBack) => {
    await using started = await start([refused, refused, last], mayCallBack);
    const { receiver } = started.at.subscribe();
    await receiver.waitForLog(1);
    expect([started.chosen, started.accepts()]).toEqual([[], others]);
  });

  test('is not detected when the subgraph answers with a result, and the error of another protocol is reported', async () => {
    const result = answer(200, { data: { tick: null } });
    await using started = await start([refused, refused, refused, result]);
    const { receiver } = started.at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual([
      'error SUBGRAPH_ERROR [{"message":"not like this","failureStatus":400}]',
    ]);
    expect([started.chosen, started.accepts()]).toEqual([[], [...others, byCallback]]);
    expect(started.at.clock.pendingCount).toBe(0);
  });
});
