import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import {
  holdNames,
  names,
  ownNames,
  products,
  queue,
  type Started,
  start,
  stock,
  stockOnly,
  streamed,
  waiting,
  whole,
  withCursor,
} from './subscriptionFixture.ts';

describe('events with a cursor', () => {
  test('are sent no faster than clients read when the source waits for onConsumed', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const taken: number[] = [];
    source.at(0).receiver.onEvent(streamed(1, { onConsumed: () => taken.push(1) }));
    await waitForTurns(5);
    expect(taken).toEqual([]);
    expect(await client.next()).toEqual(withCursor(1));
    await waitForTurns();
    expect(taken).toEqual([1]);
    source.at(0).receiver.onEvent(streamed(2, { onConsumed: () => taken.push(2) }));
    await waitForTurns(5);
    await client.leave();
    await waitForTurns();
    expect(taken).toEqual([1]);
  });

  test('are replaced by an error at their position when they are missing', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const failure = new GatewayError('OVERLOADED', 'some are gone');
    source.at(0).receiver.onEvent(streamed(1));
    source.at(0).receiver.onEvent(streamed(2, { failure }));
    expect(await client.take(2)).toEqual([withCursor(1), { errors: [failure.toFormatted()] }]);
  });

  test('are shared by caught-up subscriptions once both are idle', async () => {
    const { source, resume, calls } = start();
    const [one, other] = [await resume(), await resume('4-0')];
    source.at(0).receiver.onCaughtUp?.();
    await waitForTurns();
    const release = holdNames();
    source.at(1).receiver.onEvent(streamed(1));
    source.at(1).receiver.onCaughtUp?.();
    await waitForTurns(2);
    source.at(0).receiver.onEvent(streamed(1));
    expect(source.at(1).isCancelled).toBe(false);
    release();
    expect([await one.next(), await other.next()]).toEqual([withCursor(1), withCursor(1)]);
    await waitForTurns();
    expect(source.at(1).isCancelled).toBe(true);
    const before = calls.length;
    source.at(0).receiver.onEvent(streamed(2));
    expect([await one.next(), await other.next()]).toEqual([withCursor(2), withCursor(2)]);
    expect(calls).toHaveLength(before + 1);
    await one.leave();
    expect(source.at(0).isCancelled).toBe(false);
    await other.leave();
    expect(source.at(0).isCancelled).toBe(true);
  });

  test('are not lost when the equal subscription is idle and this one is not', async () => {
    const { source, resume } = start();
    const [one, other] = [await resume(), await resume('4-0')];
    source.at(0).receiver.onCaughtUp?.();
    const release = holdNames();
    source.at(1).receiver.onEvent(streamed(1));
    source.at(1).receiver.onCaughtUp?.();
    await waitForTurns(2);
    names.gate = Promise.resolve();
    source.at(0).receiver.onEvent(streamed(1));
    expect(await one.next()).toEqual(withCursor(1));
    await waitForTurns(2);
    release();
    expect(await other.next()).toEqual(withCursor(1));
  });

  /** A client that reads nothing until the source is paused, and how many events were sent to it. */
  async function fallBehind({ source, subscribe }: Started, query: string) {
    source.isStream = true;
    const client = await subscribe(query);
    let sent = 0;
    while (!source.at(0).isPaused) {
      sent += 1;
      source.at(0).receiver.onEvent(streamed(sent));
      await waitForTurns(5);
    }
    return { client, sent };
  }

  test('are not shared with a subscription that is behind, even while it is idle', async () => {
    const started = start(waiting);
    const { source, subscribe } = started;
    const { client: slow, sent } = await fallBehind(started, stockOnly);
    const ahead = await subscribe(stockOnly, {}, undefined, `${sent}-0`);
    source.at(1).receiver.onEvent(streamed(sent + 1, { onConsumed: () => {} }));
    source.at(1).receiver.onCaughtUp?.();
    expect(await ahead.nextCursor()).toBe(`${sent + 1}-0`);
    for (let amount = 1; amount <= sent; amount++) expect(await slow.nextCursor()).toBe(`${amount}-0`);
    await waitForTurns(5);
    // The missed events are being fetched, and nothing waits to be sent.
    expect([source.at(0).isPaused, source.at(1).isCancelled]).toEqual([false, false]);
    source.at(0).receiver.onEvent(streamed(sent + 1, { onConsumed: () => {} }));
    expect(await slow.nextCursor()).toBe(`${sent + 1}-0`);
    await waitForTurns(5);
    expect(source.at(1).isCancelled).toBe(false);
    source.at(0).receiver.onCaughtUp?.();
    await waitForTurns(5);
    expect(source.at(1).isCancelled).toBe(true);
    source.at(0).receiver.onEvent(streamed(sent + 2));
    expect([await slow.nextCursor(), await ahead.nextCursor()]).toEqual([`${sent + 2}-0`, `${sent + 2}-0`]);
  });

  test.each([
    ['while they wait in the stream', false],
    ['while they are read from the stream', true],
  ])('are resumed after the last cursor when subscribing again, %s', async (_, isResumed) => {
    const started = start(waiting);
    const { source } = started;
    const { client, sent } = await fallBehind(started, 'subscription { stockChanged { stock name } }');
    if (isResumed) await client.take(sent);
    await waitForTurns(5);
    expect(source.at(0).isPaused).toBe(!isResumed);
    await started.replan(ownNames);
    expect(source.at(0).isCancelled).toBe(true);
    expect(source.at(1).request).toMatchObject({
      query: expect.stringContaining('name'),
      resumeAfter: `${sent}-0`,
    });
    source.at(1).receiver.onCaughtUp?.();
    await started.replan({ stock, products });
    expect(source.at(2).request.resumeAfter).toBeUndefined();
  });

  const replayed = (amount: number, taken: number[] = []) =>
    streamed(amount, { onConsumed: () => taken.push(amount) });

  test('are replayed once to the clients that resume after the same event, until the first one arrives', async () => {
    const { source, resume, calls } = start();
    const clients = [await resume(), await resume()];
    const other = await resume('4-0');
    source.at(0).receiver.onEvent(replayed(6));
    await resume();
    expect(source.subscriptions.map(({ request }) => request.resumeAfter)).toEqual(['5-0', '4-0', '5-0']);
    for (const client of clients) expect(await client.next()).toEqual(withCursor(6));
    expect(calls).toHaveLength(1);
    source.at(1).receiver.onEvent(replayed(5));
    expect(await other.next()).toEqual(withCursor(5));
  });

  test('are shared by a client that begins after a replay without events', async () => {
    const { source, subscribe, resume } = start();
    await resume();
    source.at(0).receiver.onCaughtUp?.();
    await subscribe(whole);
    await resume();
    expect(source.subscriptions).toHaveLength(2);
  });

  test('are replayed as fast as the fastest client reads, and separately to one that reads much slower', async () => {
    const { source, resume } = start({ queue: { ...queue, maxEvents: 2 } });
    const [fast, slow] = [await resume(), await resume()];
    const taken: number[] = [];
    for (const amount of [6, 7]) {
      source.at(0).receiver.onEvent(replayed(amount, taken));
      expect(await fast.next()).toEqual(withCursor(amount));
      await waitForTurns(5);
    }
    expect(taken).toEqual([6, 7]);
    expect(source.at(1).request.resumeAfter).toBe('7-0');
    source.at(0).receiver.onEvent(replayed(8, taken));
    source.at(1).receiver.onEvent(replayed(8));
    expect(await fast.next()).toEqual(withCursor(8));
    expect(await slow.take(3)).toEqual([6, 7, 8].map(withCursor));
    for (const place of [0, 1]) source.at(place).receiver.onCaughtUp?.();
    await waitForTurns(5);
    expect(source.at(1).isCancelled).toBe(true);
    source.at(0).receiver.onEvent(streamed(9));
    expect([await fast.next(), await slow.next()]).toEqual([withCursor(9), withCursor(9)]);
  });

  test('are replayed to the last of several slow clients when the one that has read everything leaves', async () => {
    const { source, resume } = start({ queue: { ...queue, maxEvents: 1 } });
    const [fast, slow, slower] = [await resume(), await resume(), await resume()];
    const taken: number[] = [];
    source.at(0).receiver.onEvent(replayed(6, taken));
    await waitForTurns(5);
    await fast.leave();
    await waitForTurns(5);
    expect([taken, source.subscriptions.length]).toEqual([[6], 2]);
    for (const client of [slow, slower]) {
      expect(await client.next()).toEqual(withCursor(6));
      await client.leave();
    }
    expect([source.at(0).isCancelled, source.at(1).isCancelled]).toEqual([true, true]);
  });

  test('are replayed as fast as the slowest client reads when `whenFull` is `wait`', async () => {
    const { source, resume } = start({ queue: { ...queue, maxEvents: 1, policy: 'wait' } });
    const [fast, slow] = [await resume(), await resume()];
    const taken: number[] = [];
    source.at(0).receiver.onEvent(replayed(6, taken));
    expect(await fast.next()).toEqual(withCursor(6));
    await waitForTurns(5);
    expect(taken).toEqual([]);
    expect(await slow.next()).toEqual(withCursor(6));
    await waitForTurns(5);
    expect([taken, source.subscriptions.length]).toEqual([[6], 1]);
  });

  test('end for a slow client of a replay that cannot be continued separately', async () => {
    let isOver = false;
    const { source, resume } = start({
      queue: { ...queue, maxEvents: 1 },
      connectionParamsFor: () => {
        if (isOver) throw new GatewayError('EXTENSION_FAILED', 'no parameters');
        return {};
      },
    });
    const [fast, slow] = [await resume(), await resume()];
    source.at(0).receiver.onEvent(replayed(6));
    isOver = true;
    expect(await fast.next()).toEqual(withCursor(6));
    await waitForTurns(5);
    expect(await slow.next()).toEqual(withCursor(6));
    await expect(slow.next()).rejects.toThrow('no parameters');
    expect(source.at(0).isCancelled).toBe(false);
  });
});
