import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { type Client, createClient } from 'graphql-ws';
import { codeBlocksOf } from '../harness/documentation.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { postJson } from '../harness/postJson.ts';
import { startTestGateway, subscribed } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const path = 'docs/subscriptions.md';

interface Review {
  readonly id: string;
  readonly body: string;
}

test('the live list of docs/subscriptions.md shows events, and the list again after a lost connection', async () => {
  await using gateway = await startTestGateway({
    config: { subgraphs: { all: { subscription: { protocol: 'graphql_ws', path: '/ws' } } } },
  });
  await using proxy = await startPausableProxy(Number(new URL(gateway.url).port));
  const text = await readFile(join(import.meta.dirname, '../..', path), 'utf8');
  const code = codeBlocksOf({ path, text })[0]?.code.replace(/^import .*\n/, '') ?? '';
  const [clients, lists, shown] = [[] as Client[], [] as string[][], [] as string[]];
  const connect = (options: Parameters<typeof createClient>[0]): Client => {
    const url = `ws://127.0.0.1:${proxy.port}/graphql`;
    const client = createClient({ ...options, url, retryWait: () => waitForTurns() });
    clients.push(client);
    return client;
  };
  const showAll = (reviews: readonly Review[]) => lists.push(reviews.map(({ body }) => body));
  const showOne = ({ body }: Review) => shown.push(body);
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await waitForTurns();
  };
  const add = (body: string) =>
    postJson(gateway.url, {
      query: `mutation { addReview(input: { productId: "p77", authorId: "a117", rating: 4, body: "${body}" }) { __typename } }`,
    });
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  const running: Promise<void> = new AsyncFunction('createClient', 'showAll', 'showOne', code)(
    connect,
    showAll,
    showOne,
  );
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
