import { describe, expect, test } from '@jest/globals';
import { type FetchCall, toFetchResult } from '../../../gateway/execution/fetchCall.ts';
import { FetchScheduler } from '../../../gateway/execution/fetchScheduler.ts';
import type { FetchSender } from '../../../gateway/execution/fetchSender.ts';
import { createFetchCall, createRequestContext, rootFetch, shapeOf } from '../../harness/fetchNodes.ts';

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
    await scheduler.load(call);
    expect(call.results).toHaveLength(1);
    scheduler.cancel();
    expect(cancelled).toEqual([]);
  });
});
