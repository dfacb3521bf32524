import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createClient as createSseClient } from 'graphql-sse';
import { type Client, createClient } from 'graphql-ws';
import { codeBlocksOf } from '../harness/documentation.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { postJson } from '../harness/postJson.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { startTestGateway, subscribed } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const { server, redis } = await startSuiteRedis();

/** Makes the first block of JavaScript in a page a function with these parameters. */
async function readExample(
  path: string,
  ...parameters: readonly string[]
): Promise<(...given: unknown[]) => Promise<void>> {
  const text = await readFile(join(import.meta.dirname, '../..', path), 'utf8');
  const code = codeBlocksOf({ path, text }).find(({ language }) => language === 'js')?.code ?? '';
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  return new AsyncFunction(...parameters, code.replace(/^import .*\n/, '')) as () => Promise<void>;
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await waitForTurns();
}

interface Review {
  readonly id: string;
  readonly body: string;
}

test('the live list of docs/subscriptions.md shows events, and the list again after a lost connection', async () => {
  await using gateway = await startTestGateway({
    config: { subgraphs: { all: { subscription: { protocol: 'graphql_ws', path: '/ws' } } } },
  });
  await using proxy = await startPausableProxy(Number(new URL(gateway.url).port));
  const run = await readExample('docs/subscriptions.md', 'createClient', 'showAll', 'showOne');
  const [clients, lists, shown] = [[] as Client[], [] as string[][], [] as string[]];
  const connect = (options: Parameters<typeof createClient>[0]): Client => {
    const url = `ws://127.0.0.1:${proxy.port}/graphql`;
    const client = createClient({ ...options, url, retryWait: () => waitForTurns() });
    clients.push(client);
    return client;
  };
  const showAll = (reviews: readonly Review[]) => lists.push(reviews.map(({ body }) => body));
  const showOne = ({ body }: Review) => shown.push(body);
  const add = (body: string) =>
    postJson(gateway.url, {
      query: `mutation { addReview(input: { productId: "p77", authorId: "a117", rating: 4, body: "${body}" }) { __typename } }`,
    });
  const running = run(connect, showAll, showOne);
  await subscribed(gateway, 1);
  await until(() => lists.length === 1);
  await add('first');
  await until(() => shown.length === 1);
  await proxy.setFault({ kind: 'refuse' });
  await subscribed(gateway, 0);
  await add('second');
  await proxy.setFault({ kind: 'none' });
  await subscribed(gateway, 1);
  await until(() => lists.length === 2);
  await add('third');
  await until(() => shown.length === 2);
  expect(shown).toEqual(['first', 'third']);
  expect(lists.map((list) => ['first', 'second'].filter((body) => list.includes(body)))).toEqual([
    [],
    ['first', 'second'],
  ]);
  clients[0]?.dispose();
  await running;
});

test.each([
  ['graphql-ws', (url: string) => createClient({ url: url.replace('http', 'ws'), retryAttempts: 0 })],
  ['graphql-sse', (url: string) => createSseClient({ url, retryAttempts: 0 })],
])(
  'the loop of docs/subscription-resume.md shows every event once with %s, also those of a lost connection',
  async (_, connect) => {
    const stream = randomUUID();
    await using gateway = await startTestGateway({
      config: {
        redis: { url: server.url },
        subscriptions: { topics: { 'Subscription.reviewAdded': { stream } } },
      },
    });
    await using proxy = await startPausableProxy(Number(new URL(gateway.url).port));
    const run = await readExample(
      'docs/subscription-resume.md',
      ...['client', 'query', 'show', 'waitOrGiveUp'],
    );
    const shown: string[] = [];
    const show = ({ data }: { data: { reviewAdded: Review } }) => shown.push(data.reviewAdded.body);
    const [givenUp, lost] = [new Error('given up'), Promise.withResolvers<void>()];
    let isOver = false;
    const waitOrGiveUp = async () => {
      if (isOver) throw givenUp;
      lost.resolve();
      await waitForTurns();
    };
    const add = (body: string) =>
      redis.xadd(stream, '*', 'event', JSON.stringify({ __typename: 'Review', id: 'r1', body }));
    const isReading = async () => {
      const list = (await redis.call('CLIENT', 'LIST')) as string;
      const open = await scrapeSample(gateway.adminUrl, 'tributary_open_streams ');
      return list.includes('cmd=xread ') && open === 1;
    };

    const client = connect(`http://127.0.0.1:${proxy.port}/graphql`);
    const query = 'subscription { reviewAdded { body } }';
    const running = run(client, query, show, waitOrGiveUp);
    await until(isReading);
    await add('first');
    await until(() => shown.length === 1);
    await proxy.setFault({ kind: 'refuse' });
    await lost.promise;
    await add('second');
    await proxy.setFault({ kind: 'none' });
    await until(() => shown.length === 2);
    await add('third');
    await until(() => shown.length === 3);
    isOver = true;
    await proxy.setFault({ kind: 'refuse' });
    await expect(running).rejects.toBe(givenUp);
    expect(shown).toEqual(['first', 'second', 'third']);
  },
);
