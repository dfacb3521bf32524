import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import {
  readSubscriptionCallback,
  type SubscriptionCallback,
  sendCallback,
} from '../harness/callbackUpstream.ts';
import { RawConnection } from '../harness/rawHttp.ts';
import { startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { startTestGateway } from '../harness/testGateway.ts';

test('a subgraph that speaks nothing but HTTP callback need not be configured', async () => {
  await using subgraph = await startScriptedSubgraph();
  const { promise: asked, resolve: promised } = Promise.withResolvers<SubscriptionCallback>();
  subgraph.setDefaultScript(({ request, respond }) => {
    const isPromised = request.headers.get('accept') === 'application/json;callbackSpec=1.0';
    if (isPromised) promised(readSubscriptionCallback(request));
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
  expect(await sendCallback(await asked, 'check')).toBe(204);
  expect(await sendCallback(await asked, 'next', { payload: { data: { reviewAdded: { body: 'b' } } } })).toBe(
    200,
  );
  expect(await client.readChunk()).toBe('event: next\ndata: {"data":{"reviewAdded":{"body":"b"}}}\n\n');
});

test('a subgraph that refuses every protocol is logged once, with its URL and the reason for each protocol', async () => {
  await using subgraph = await startScriptedSubgraph();
  subgraph.setDefaultScript(({ respond }) => respond({ status: 404, body: 'Not Found' }));
  const lines: { readonly level: number; readonly msg: string }[] = [];
  await using gateway = await startTestGateway({
    config: { subgraphs: { reviews: { url: subgraph.url, subscription: { protocol: 'auto' } } } },
    dependencies: { logger: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }) },
  });
  for (let n = 0; n < 2; n++) {
    await using client = await RawConnection.open(gateway.url);
    client.send({
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'subscription { reviewAdded { body } }' }),
    });
    await client.readHead();
    while ((await client.readChunk())?.includes('SUBGRAPH_ERROR') === false);
  }
  const status = '404';
  expect(lines.filter(({ msg }) => msg.startsWith('No subscription protocol'))).toMatchObject([
    {
      level: 40,
      subgraph: 'reviews',
      url: subgraph.url,
      refusals: { graphql_ws: status, sse: status, multipart: status, http_callback: status },
    },
  ]);
});
