import { expect, test } from '@jest/globals';
import { RawConnection } from '../harness/frames.ts';
import { startTestGateway } from '../harness/gateway.ts';
import { startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { type Asked, askedBy, callBack } from '../unit/subscriptions/sources/callbackUpstream.ts';

test('a subgraph that speaks nothing but HTTP callback need not be configured', async () => {
  await using subgraph = await startScriptedSubgraph();
  const { promise: asked, resolve: promised } = Promise.withResolvers<Asked>();
  subgraph.otherwise(({ request, respond }) => {
    const isPromised = request.headers.get('accept') === 'application/json;callbackSpec=1.0';
    if (isPromised) promised(askedBy(request));
    respond({
      status: isPromised ? 200 : 406,
      headers: { 'content-type': 'application/json' },
      body: isPromised ? '{"data":null}' : '{"errors":[{"message":"no"}]}',
    });
  });
  await using gateway = await startTestGateway({
    config: { subgraphs: { reviews: { url: subgraph.url, subscription: { protocol: 'auto' } } } },
  });
  await using client = await RawConnection.open(gateway.url);
  client.send({
    headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'subscription { reviewAdded { body } }' }),
  });
  await client.readHead();
  expect(await client.readChunk()).toBe(':\n\n');
  expect(await callBack(await asked, 'check')).toBe(204);
  expect(await callBack(await asked, 'next', { payload: { data: { reviewAdded: { body: 'b' } } } })).toBe(
    200,
  );
  expect(await client.readChunk()).toBe('event: next\ndata: {"data":{"reviewAdded":{"body":"b"}}}\n\n');
});
