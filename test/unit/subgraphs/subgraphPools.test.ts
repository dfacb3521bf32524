import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type SubgraphEndpoint, SubgraphPools } from '../../../gateway/subgraphs/subgraphPools.ts';
import { hang, json, startScriptedSubgraph } from '../../harness/scriptedSubgraph.ts';

let pools = new SubgraphPools();
afterEach(async () => {
  await pools.destroy(new Error('the test is over'));
  pools = new SubgraphPools();
});

const endpoint = (url: string, subgraph = 'reviews'): SubgraphEndpoint => ({
  subgraph,
  url,
  attemptTimeoutMs: 10_000,
  maxResponseBytes: 1_000,
  connections: 10,
  http2: false,
});
const target = (url: string) => pools.targetOf(endpoint(url), false);

describe('a connection pool', () => {
  test('stays before its first connection, and while it has one, when other pools are created', async () => {
    await using idle = await startScriptedSubgraph();
    await using busy = await startScriptedSubgraph();
    idle.setDefaultScript(json({}));
    busy.setDefaultScript(hang);
    const [first, second] = [target(idle.url), target(busy.url)];
    await ask(first);
    const waiting = ask(second).catch((reason: unknown) => reason);
    target('http://127.0.0.1:1/');
    expect(target(idle.url)).toBe(first);
    expect(target(busy.url)).toBe(second);
    await pools.destroy(new Error('the test is over'));
    expect(await waiting).toEqual(new Error('the test is over'));
  });

  test('is dropped when it has lost its connections and another pool is created', async () => {
    await using gone = await startScriptedSubgraph();
    gone.setDefaultScript(json({}));
    const first = target(gone.url);
    await ask(first);
    const disconnected = once(first.pool, 'disconnect');
    await gone.close();
    await disconnected;
    expect(target(gone.url)).toBe(first);
    target('http://127.0.0.1:1/');
    expect(target(gone.url)).not.toBe(first);
  });
});

test('subgraphs of one origin share no connections, so that one that hangs does not delay the other', async () => {
  await using shared = await startScriptedSubgraph();
  shared.enqueueScripts(hang, json({}));
  const [reviews, stock] = ['reviews', 'stock'].map((name) =>
    pools.targetOf({ ...endpoint(shared.url, name), connections: 1 }, false),
  ) as [ReturnType<typeof target>, ReturnType<typeof target>];
  const waiting = ask(reviews).catch((reason: unknown) => reason);
  await shared.waitForRequests(1);

  await ask(stock);

  await pools.destroy(new Error('the test is over'));
  expect(await waiting).toEqual(new Error('the test is over'));
});

test('connections that are not established yet are closed with their pool', async () => {
  const accepted = Promise.withResolvers<Socket>();
  // It never starts the handshake.
  const server = createServer(accepted.resolve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const silent = { ...endpoint(`https://127.0.0.1:${port}/`), attemptTimeoutMs: 3_600_000 };
  const waiting = ask(pools.targetOf(silent, false)).catch((reason: unknown) => reason);
  const socket = await accepted.promise;
  const closed = once(socket, 'close');
  socket.resume();

  await pools.destroy(new Error('the test is over'));

  await closed;
  expect(await waiting).toEqual(new Error('the test is over'));
  server.close();
});

async function ask({ pool, path }: ReturnType<typeof target>): Promise<void> {
  const { body } = await pool.request({ method: 'POST', path, body: '{}' });
  await body.text();
}
