import { randomUUID } from 'node:crypto';
import { afterAll, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { startGatewayProcess } from '../harness/gatewayProcess.ts';
import { postJson } from '../harness/postJson.ts';
import { EventCounter } from '../harness/redisStoreFixture.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { demoSupergraphFile, longCallTimeouts } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const { server, redis } = await startSuiteRedis();
const subgraphs = await startDemoSubgraphs({ ports: 0 });
afterAll(() => subgraphs.close());

/** One field of the event, one of its subgraph and one of another subgraph. */
const query = 'subscription { reviewAdded { body rating author { displayName } } }';

interface Seen {
  readonly review: unknown;
  readonly cursor: string | undefined;
}

interface Payload {
  readonly data?: { readonly reviewAdded?: unknown } | null;
  readonly errors?: unknown;
  readonly extensions?: { readonly tributary?: { readonly cursor?: string } };
}

/** Yields the events after a cursor until the connection is lost. */
async function* overEvents(url: string, cursor?: string): AsyncGenerator<Seen> {
  const response = await postJson(
    url,
    { query },
    { accept: 'text/event-stream', ...(cursor !== undefined && { 'last-event-id': cursor }) },
  );
  if (response.body === null) throw new Error(`No stream, but ${response.status}.`);
  let unread = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (unread + text).split('\n\n');
    unread = blocks.pop() ?? '';
    for (const block of blocks) if (block !== ':') yield seenIn(block);
  }
}

function seenIn(block: string): Seen {
  const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
  const { data, errors } = JSON.parse(field('data') || 'null') as Payload;
  return { review: errors ?? data?.reviewAdded, cursor: field('id') };
}

async function* overWebSocket(url: string, cursor?: string): AsyncGenerator<Seen> {
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const extensions = { tributary: { cursor } };
  try {
    for await (const payload of client.iterate({ query, ...(cursor !== undefined && { extensions }) })) {
      const { data, errors, extensions } = payload as Payload;
      yield { review: errors ?? data?.reviewAdded, cursor: extensions?.tributary?.cursor };
    }
  } catch (cause) {
    // The client throws events, whose socket jest would print as a whole, or fail to send to its main process.
    const { type, code = '' } = cause as { readonly type?: string; readonly code?: number };
    throw new Error(`The connection was lost: ${type} ${code}`);
  } finally {
    await client.dispose();
  }
}

/** Adds events to a stream, never more than a few ahead of the slowest client. */
class Flow {
  /** The events that every client must receive. */
  readonly published: Seen[] = [];
  readonly #stream: string;
  readonly #happened = new EventCounter();
  /** The number of events that each client has received. */
  readonly #taken = new Map<string, number>();

  constructor(stream: string) {
    this.#stream = stream;
  }

  async publish(count: number): Promise<void> {
    while (this.published.length < count) {
      if (this.published.length >= Math.min(...this.#taken.values()) + 20) await this.#happened.waitForNext();
      else await this.#add(this.published.length + 1);
    }
  }

  async reached(count: number): Promise<void> {
    while (this.published.length < count) await this.#happened.waitForNext();
  }

  take(client: string, count: number): void {
    this.#taken.set(client, count);
    this.#happened.increment();
  }

  async #add(number: number): Promise<void> {
    const event = { __typename: 'Review', id: 'r1', body: `event ${number}` };
    const cursor = await redis.xadd(this.#stream, '*', 'event', JSON.stringify(event));
    const record = subgraphs.reviews.store.findReview('r1');
    this.published.push({
      review: { body: event.body, rating: record?.rating, author: { displayName: 'Keen Otter' } },
      cursor: cursor ?? undefined,
    });
    this.#happened.increment();
  }
}

/** A gateway in its own process, which is killed with SIGKILL at the end of the test at the latest. */
async function startKillable(stream: string) {
  const config: GatewayOptions = {
    supergraph: { file: demoSupergraphFile, watch: false },
    subgraphs: {
      ...Object.fromEntries(subgraphs.all.map(({ name, url }) => [name, { url }])),
      all: { timeouts: longCallTimeouts },
    },
    redis: { url: server.url },
    subscriptions: { topics: { 'Subscription.reviewAdded': { stream } } },
  };
  const gateway = await startGatewayProcess(config);
  let killed: Promise<void> | undefined;
  const kill = (): Promise<void> => {
    killed ??= Promise.resolve(gateway[Symbol.asyncDispose]());
    return killed;
  };
  const { url, adminUrl } = gateway;
  return { url, adminUrl, kill, [Symbol.asyncDispose]: kill };
}

/** Resolves when `processes` read a stream, each for so many clients. */
async function reading(processes: readonly { readonly adminUrl: string }[], clients: number): Promise<void> {
  for (;;) {
    const list = (await redis.call('CLIENT', 'LIST')) as string;
    const counts = await Promise.all(
      processes.map(({ adminUrl }) => scrapeSample(adminUrl, 'tributary_open_streams ')),
    );
    const areReading = [...list.matchAll(/cmd=xread /g)].length === processes.length;
    if (areReading && counts.every((count) => count === clients)) return;
    await waitForTurns();
  }
}

test('clients over server-sent events and over a WebSocket receive every event once and in order when their gateway is killed', async () => {
  const total = 200;
  const stream = randomUUID();
  const [one, other] = await Promise.all([startKillable(stream), startKillable(stream)]);
  await using _ = one;
  await using __ = other;
  const flow = new Flow(stream);
  const follow = async (events: AsyncIterable<Seen>, seen: Seen[], onTaken: (count: number) => void) => {
    onTaken(seen.length);
    for await (const event of events) {
      seen.push(event);
      onTaken(seen.length);
      if (seen.length >= total) break;
    }
  };
  const clients = Object.entries({ overEvents, overWebSocket }).map(([name, connect]) => ({
    name,
    connect,
    staying: [] as Seen[],
    moving: [] as Seen[],
  }));

  const untilEnd = Promise.all(
    clients.map(({ name, connect, staying }) =>
      follow(connect(other.url), staying, (count) => flow.take(`staying ${name}`, count)),
    ),
  );
  // A failure that comes before its turn below must not fail the suite that runs then.
  untilEnd.catch(() => {});
  const broken = clients.map(({ name, connect, moving }) => {
    const untilKilled = follow(connect(one.url), moving, (count) => {
      if (count < 60) flow.take(`moving ${name}`, count);
      if (count !== 60) return;
      // Events continue during the kill, so that it happens between two events or within one.
      flow.take(`moving ${name}`, 100);
      void one.kill();
    });
    return expect(untilKilled).rejects.toBeDefined();
  });
  await reading([one, other], clients.length);
  const publishing = flow.publish(total);
  await Promise.all(broken);
  // Events that the killed gateway could not deliver.
  for (const { name } of clients) flow.take(`moving ${name}`, 140);
  await flow.reached(160);
  await Promise.all(
    clients.map(({ name, connect, moving }) =>
      follow(connect(other.url, moving.at(-1)?.cursor), moving, (count) =>
        flow.take(`moving ${name}`, count),
      ),
    ),
  );
  await Promise.all([untilEnd, publishing]);
  for (const { staying, moving } of clients) {
    expect(moving).toEqual(flow.published);
    expect(staying).toEqual(flow.published);
  }
});
