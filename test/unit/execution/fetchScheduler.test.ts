import { performance } from 'node:perf_hooks';
import { describe, expect, jest, test } from '@jest/globals';
import { type FetchCall, toFetchResult } from '../../../gateway/execution/fetchCall.ts';
import { FetchScheduler } from '../../../gateway/execution/fetchScheduler.ts';
import type { FetchSender } from '../../../gateway/execution/fetchSender.ts';
import { createFetchCall, createRequestContext, rootFetch, shapeOf } from '../../harness/fetchNodes.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const response = {
  data: undefined,
  errors: undefined,
  cacheControl: undefined,
  age: undefined,
  extensions: undefined,
  isEscapeFree: true,
};

/** Has every answer at hand: all is over before the request has been taken. */
function senderAtHand(cancelled: string[]): FetchSender {
  const answer = (calls: readonly FetchCall[], done: () => void): (() => void) => {
    for (const call of calls) call.settle(toFetchResult(response, null, []), () => {});
    done();
    return () => cancelled.push('cancelled');
  };
  return {
    sendEntities: ({ calls, onDone }) => answer(calls, onDone),
    sendRoot: ({ call, onDone }) => answer([call], onDone),
  };
}

describe('a result that is available at once', () => {
  test.each([
    ['entities', createFetchCall(['1'])],
    ['root fields', createFetchCall([], { shape: shapeOf(rootFetch('top { id }')) })],
  ])('settles the call for %s at once and leaves nothing to cancel', async (_, call) => {
    const cancelled: string[] = [];
    const scheduler = new FetchScheduler(senderAtHand(cancelled), createRequestContext());
    await new Promise<unknown>((resolve) => scheduler.load(call, resolve));
    expect(call.results).toHaveLength(1);
    scheduler.cancel();
    expect(cancelled).toEqual([]);
  });
});

test('an equal root fetch of another delivery group is sent by itself, one of the same group is not', async () => {
  const shape = shapeOf(rootFetch('top { id }'));
  const calls = [0, 0, 1].map((group) => ({ ...createFetchCall([], { shape }), group }));
  const sent: number[] = [];
  const sender = senderAtHand([]);
  const scheduler = new FetchScheduler(
    {
      ...sender,
      sendRoot(request) {
        sent.push(request.call.group);
        return sender.sendRoot(request);
      },
    },
    createRequestContext(),
  );
  await Promise.all(calls.map((call) => new Promise((resolve) => scheduler.load(call, resolve))));
  expect(sent).toEqual([0, 1]);
});

test('entity fetches of one subgraph and delivery group are sent together, and each of their steps hears of the end', async () => {
  const calls = [0, 0, 1].map((group, index) => ({ ...createFetchCall([`${index}`]), group }));
  const sent: number[][] = [];
  const sender = senderAtHand([]);
  const scheduler = new FetchScheduler(
    {
      ...sender,
      sendEntities(request) {
        sent.push(request.calls.map(({ group }) => group));
        return sender.sendEntities(request);
      },
    },
    createRequestContext(),
  );
  const settled: number[] = [];
  for (const [index, call] of calls.entries()) scheduler.load(call, () => settled.push(index));
  expect(settled).toEqual([]);
  await waitForTurns();
  expect(settled).toEqual([0, 1, 2]);
  expect(sent.map(([group]) => group)).toEqual([0, 1]);
});

test('a fetch that cannot be sent settles with the fault', async () => {
  const fault = new Error('no such header');
  const scheduler = new FetchScheduler(
    {
      ...senderAtHand([]),
      sendEntities() {
        throw fault;
      },
    },
    createRequestContext(),
  );
  const settled = new Promise<unknown>((resolve) => scheduler.load(createFetchCall(['1']), resolve));
  expect(await settled).toBe(fault);
});

describe('fetches that are loaded together', () => {
  const shape = shapeOf(rootFetch('top { id }'));
  const loadRoot = (scheduler: FetchScheduler, onSettled: () => void): void =>
    scheduler.load(createFetchCall([], { shape }), onSettled);

  test('are sent before the end of the call, equal ones once', async () => {
    const settled: string[] = [];
    const scheduler = new FetchScheduler(senderAtHand([]), createRequestContext());
    scheduler.sendTogether(() => {
      loadRoot(scheduler, () => settled.push('first'));
      loadRoot(scheduler, () => settled.push('equal'));
      expect(settled).toEqual([]);
    });
    expect(settled).toEqual(['first']);
    await waitForTurns();
    expect(settled).toEqual(['first', 'equal']);
  });

  test('are sent although loading another one fails', () => {
    const settled: string[] = [];
    const scheduler = new FetchScheduler(senderAtHand([]), createRequestContext());
    const load = (): never => {
      loadRoot(scheduler, () => settled.push('first'));
      throw new Error('failed');
    };
    expect(() => scheduler.sendTogether(load)).toThrow('failed');
    expect(settled).toEqual(['first']);
  });
});

test('the time of fetching is from the first fetch that was sent to the last one that has ended', async () => {
  const now = jest.spyOn(performance, 'now').mockReturnValue(1_000);
  const ends: (() => void)[] = [];
  const sender: FetchSender = {
    ...senderAtHand([]),
    sendEntities({ onDone }) {
      ends.push(onDone);
      return () => {};
    },
  };
  const scheduler = new FetchScheduler(sender, createRequestContext());
  expect(scheduler.fetchingMs).toBe(0);
  scheduler.sendTogether(() => scheduler.load(createFetchCall(['1']), () => {}));
  now.mockReturnValue(1_010);
  ends[0]?.();
  expect(scheduler.fetchingMs).toBe(10);
  scheduler.sendTogether(() => scheduler.load(createFetchCall(['2']), () => {}));
  now.mockReturnValue(1_030);
  scheduler.cancel();
  expect(scheduler.fetchingMs).toBe(30);
  now.mockRestore();
});
