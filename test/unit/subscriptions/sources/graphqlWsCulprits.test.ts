import { describe, expect, test } from '@jest/globals';
import type { SourceEndpoint } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { firstDelayMs, type RecordingReceiver } from '../../../harness/sourceFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { waitUntil } from '../../../harness/waitUntil.ts';
import type { ScriptedSocket } from '../../../harness/webSocketUpstream.ts';
import { next, startScripted } from './graphqlWsFixture.ts';

/** A source, and a server that ends each socket on which a subscription has this query, and sends one event to each other
 *  one. */
async function startWithCulprit(
  query: string,
  end: (socket: ScriptedSocket) => void,
  more?: Partial<SourceEndpoint>,
) {
  const at = await startScripted(more);
  const serve = async (): Promise<void> => {
    for (;;) {
      const socket = await at.upstream.next();
      socket.acknowledge();
      socket.socket.on('message', (data) => {
        const { type, id, payload } = JSON.parse(String(data));
        if (type === 'subscribe' && payload.query === query) end(socket);
        else if (type === 'subscribe') socket.send(next('fine', id));
      });
    }
  };
  void serve();
  return at;
}

const closeWith =
  (code: number) =>
  ({ socket }: ScriptedSocket) =>
    socket.close(code);

const isEnded = ({ receiver }: { readonly receiver: RecordingReceiver }) =>
  receiver.log.some((news) => news.startsWith('error'));

const isServed = ({ receiver }: { readonly receiver: RecordingReceiver }) =>
  receiver.log.at(-1) === '{"tick":"fine"}';

describe('a subscription that ends a shared socket', () => {
  const query = 'subscription { bad }';

  test.each([
    ['a close code', closeWith(4400)],
    ['an internal error of the GraphQL server', closeWith(4500)],
    ['an invalid message', ({ send }: ScriptedSocket) => send('{"type":"next"')],
    [
      'an event over twice the limit',
      ({ socket }: ScriptedSocket) => socket.send(JSON.stringify(next('x'.repeat(30_000))), { fin: false }),
    ],
  ])('ends alone, and the others continue: %s', async (_, end) => {
    await using at = await startWithCulprit(query, end);
    const others = Array.from({ length: 3 }, () => at.subscribe());
    const culprit = at.subscribe({ query });
    others.push(...Array.from({ length: 3 }, () => at.subscribe()));
    await waitUntil(() => isEnded(culprit) && others.every(isServed));
    expect(others.filter(isEnded)).toEqual([]);
    // Three divisions of seven.
    expect(at.upstream.handshakes).toHaveLength(7);
    for (const { cancel } of others) cancel();
    await at.upstream.waitForOpenCount(0);
    expect(at.clock.pendingCount).toBe(0);
  });

  test.each<[string, (socket: ScriptedSocket) => void]>([
    ['without a close frame', ({ socket }) => socket.terminate()],
    ['with the code of a restart', closeWith(1012)],
    ['with an internal error of the WebSocket server', closeWith(1011)],
  ])('ends alone also when the server ends each connection %s', async (_, end) => {
    await using at = await startWithCulprit(query, end, {
      heartbeatMs: 0,
      connectTimeoutMs: 1_000_000,
      reconnect: { attempts: 2, minDelayMs: 1, maxDelayMs: 1_000_000 },
    });
    const others = Array.from({ length: 3 }, () => at.subscribe());
    const culprit = at.subscribe({ query });
    others.push(...Array.from({ length: 3 }, () => at.subscribe()));
    await waitUntil(() => {
      at.clock.advance(2);
      return isEnded(culprit) && others.every(isServed);
    });
    expect(others.filter(isEnded)).toEqual([]);
    const handshakes = at.upstream.handshakes.length;
    expect(at.subscribe().receiver.log).toEqual([]);
    await waitUntil(() => at.upstream.handshakes.length === handshakes + 1);
  });

  test('is not suspected when a server ends connections that have lasted', async () => {
    await using at = await startScripted({ heartbeatMs: 0 });
    const all = [at.subscribe(), at.subscribe()];
    for (let connection = 0; connection < 5; connection++) {
      const socket = await at.upstream.next();
      socket.acknowledge();
      await socket.waitForMessages(3);
      at.clock.advance(10_000);
      socket.socket.terminate();
      await waitUntil(() =>
        all.every(({ receiver }) => receiver.log.at(-1)?.startsWith('interrupted') === true),
      );
      at.clock.advance(firstDelayMs);
    }
    await at.upstream.next();
    expect(at.upstream.handshakes).toHaveLength(6);
  });

  test('shares no socket with others when it begins again', async () => {
    await using at = await startWithCulprit(query, closeWith(4400));
    const [first, culprit] = [at.subscribe(), at.subscribe({ query })];
    await waitUntil(() => isEnded(culprit) && isServed(first));
    const second = at.subscribe();
    await waitUntil(() => isServed(second));
    const again = at.subscribe({ query });
    await waitUntil(() => isEnded(again));
    expect(second.receiver.log).toEqual(['{"tick":"fine"}']);
    expect(again.receiver.log).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test('leaves others that can be paused and cancelled', async () => {
    await using at = await startScripted();
    const [paused, other] = [at.subscribe(), at.subscribe()];
    const socket = await at.upstream.next();
    socket.acknowledge();
    await socket.waitForMessages(3);
    socket.socket.close(4400);
    const half = await at.upstream.next();
    const otherHalf = await at.upstream.next();
    paused.flow?.pause();
    half.acknowledge();
    await half.waitForMessages(2);
    half.send(next('fine', '1'));
    otherHalf.acknowledge();
    await otherHalf.waitForMessages(2);
    otherHalf.send(next('fine', '2'));
    await waitUntil(() => isServed(other));
    await waitForTurns(3);
    expect(paused.receiver.log).toEqual(['interrupted SUBGRAPH_INVALID_RESPONSE', 'resubscribed']);
    paused.flow?.resume();
    await waitUntil(() => isServed(paused));
    paused.cancel();
    expect(await half.closeCode).toBe(1000);
    expect(at.upstream.openCount).toBe(1);
  });

  test.each([
    ['with a code that concerns the connection', 4403, { attempts: 2, minDelayMs: 1, maxDelayMs: 1 }],
    ['without reconnections', 4400, { attempts: 0, minDelayMs: 1, maxDelayMs: 1 }],
  ])('ends the others %s', async (_, code, reconnect) => {
    await using at = await startWithCulprit(query, closeWith(code), { reconnect });
    const all = [at.subscribe(), at.subscribe({ query })];
    await waitUntil(() => all.every(isEnded));
    expect(at.upstream.handshakes).toHaveLength(1);
  });

  test('is not searched for without limit when a server ends all sockets', async () => {
    await using at = await startWithCulprit(query, closeWith(4400));
    const all = Array.from({ length: 100 }, () => at.subscribe({ query }));
    await waitUntil(() => all.every(isEnded));
    // The first one, and two for each of 16 divisions.
    expect(at.upstream.handshakes).toHaveLength(33);
    expect(at.clock.pendingCount).toBe(0);
  });
});
