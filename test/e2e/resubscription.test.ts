import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createGateway } from '../../gateway/gateway.ts';
import { composeSubgraphs, federationLink } from '../harness/composeSubgraphs.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { RawConnection } from '../harness/rawHttp.ts';
import { type Exchange, reset, type Script, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';

/** A supergraph in which the subgraph of the events also has the names, or another subgraph has them. */
async function compose(url: string, hasNames: boolean): Promise<string> {
  const [own, other] = hasNames ? ['name: String', 'weight: Int'] : ['stock: Int', 'name: String'];
  return composeSubgraphs([
    {
      name: 'items',
      url,
      sdl: `${federationLink}
        type Query { item: Item }
        type Subscription { changed: Item }
        type Item @key(fields: "id") { id: ID! ${own} }`,
    },
    {
      name: 'others',
      url: 'http://127.0.0.1:9',
      sdl: `${federationLink} type Item @key(fields: "id") { id: ID! ${other} }`,
    },
  ]);
}

/** Accepts a subscription, and sends these events. */
const streamOf =
  (...events: readonly string[]): Script =>
  ({ write }) => {
    write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n:\n\n');
    for (const event of events) write(event);
  };

const named = (name: string) =>
  `event: next\ndata: {"data":{"changed":{"__typename":"Item","id":"1","name":"${name}"}}}\n\n`;

/** A client over server-sent events. */
async function subscribe(url: string) {
  const connection = await RawConnection.open(url);
  connection.send({
    headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'subscription { changed { name } }' }),
  });
  await connection.readHead();
  let received = '';
  return {
    /** Resolves with everything that has arrived until this text. */
    until: async (text: string): Promise<string> => {
      while (!received.includes(text)) {
        const chunk = await connection.readChunk();
        if (chunk === undefined) throw new Error(`The stream has ended: ${received}`);
        received += chunk;
      }
      return received;
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** A gateway that watches the file of its supergraph. */
async function startGateway(file: string) {
  const gateway = await createGateway(
    {
      listen: { port: 0 },
      admin: { port: 0 },
      supergraph: { file, watch: true },
      contracts: { guard: 'off' },
      subscriptions: { reconnect: { minDelay: '1ms' } },
      subgraphs: { items: { subscription: { protocol: 'sse' } } },
    },
    { startPlannerThread: planInProcess, logger: pino({ level: 'silent' }) },
  );
  const { url } = await gateway.start();
  return { url, [Symbol.asyncDispose]: () => gateway.close() };
}

test('A subscription continues when its subgraph, after a new supergraph, ends it and is unavailable for the next attempts', async () => {
  await using items = await startScriptedSubgraph();
  const file = join(createTemporaryDirectory(), 'supergraph.graphql');
  await writeFile(file, await compose(items.url, false));
  await using gateway = await startGateway(file);
  const first = Promise.withResolvers<Exchange>();
  const second = Promise.withResolvers<Exchange>();
  items.enqueueScripts(
    (exchange) => {
      void streamOf()(exchange);
      first.resolve(exchange);
    },
    second.resolve,
    reset,
    streamOf(named('Pan')),
  );
  await using client = await subscribe(gateway.url);
  const old = await first.promise;
  await writeFile(`${file}.next`, await compose(items.url, true));
  await rename(`${file}.next`, file);
  const next = await second.promise;
  old.write('event: complete\ndata:\n\n');
  await client.until('EVENTS_MISSED');
  next.reset();
  const received = await client.until('Pan');
  expect(received.match(/"code":"\w+"|"name":"\w+"/g)).toEqual([
    '"code":"EVENTS_MISSED"',
    '"code":"SUBGRAPH_UNREACHABLE"',
    '"code":"EVENTS_MISSED"',
    '"name":"Pan"',
  ]);
});

test('A client that subscribes while the subgraph is unavailable for a moment gets its events, and no error', async () => {
  await using items = await startScriptedSubgraph();
  const file = join(createTemporaryDirectory(), 'supergraph.graphql');
  await writeFile(file, await compose(items.url, true));
  await using gateway = await startGateway(file);
  items.enqueueScripts(reset, reset, streamOf(named('Pan')));
  await using client = await subscribe(gateway.url);
  expect(await client.until('Pan')).not.toContain('errors');
});
