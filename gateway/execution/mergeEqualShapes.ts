import { higherPriority } from '../subgraphs/policies/callPriority.ts';
import { createCountdownLatch } from './countdownLatch.ts';
import {
  type CompletedResult,
  type FetchCall,
  type FetchResult,
  haveEqualOperations,
  type Staleness,
} from './fetchCall.ts';

/** Merges calls of one shape for different paths. Their representations all differ, because an operation fetches no
 *  entity twice. The order is that of the steps, whichever was ready first, so that the subgraph gets the same texts. */
export function mergeEqualShapes(calls: readonly FetchCall[]): readonly FetchCall[] {
  if (calls.length === 1) return calls;
  const groups: FetchCall[][] = [];
  for (const call of calls.toSorted((one, other) => one.step.index - other.step.index)) {
    const known = groups.find(([first]) => haveEqualOperations(first as FetchCall, call));
    if (known === undefined) groups.push([call]);
    else known.push(call);
  }
  return groups.map(mergeCalls);
}

function mergeCalls(calls: readonly FetchCall[]): FetchCall {
  const first = calls[0] as FetchCall;
  if (calls.length === 1) return first;
  return {
    ...first,
    priority: calls.map((call) => call.priority).reduce(higherPriority),
    representations: calls.flatMap((call) => call.representations),
    settle(result, done) {
      let start = 0;
      const countDown = createCountdownLatch(calls.length, done);
      calls.forEach((call, index) => {
        const end = start + call.representations.length;
        call.settle(
          result.kind === 'failed' ? result : sliceResult(result, start, end, index === 0),
          countDown,
        );
        start = end;
      });
    },
  };
}

/** Returns the part of a result that belongs to the representations from `start` to `end`. An error of the whole fetch
 *  goes to the first call; if there is no data, to all calls. */
function sliceResult(result: CompletedResult, start: number, end: number, isFirst: boolean): FetchResult {
  return {
    ...result,
    data: Array.isArray(result.data) ? result.data.slice(start, end) : result.data,
    errors: result.errors.flatMap((error) => {
      if (error.entityIndex === undefined) return isFirst || !Array.isArray(result.data) ? [error] : [];
      return error.entityIndex >= start && error.entityIndex < end
        ? [{ ...error, entityIndex: error.entityIndex - start }]
        : [];
    }),
    stale:
      result.stale &&
      new Map(
        Array.from({ length: end - start }, (_, index) => [index, result.stale?.get(start + index)]).filter(
          (entry): entry is [number, Staleness] => entry[1] !== undefined,
        ),
      ),
  };
}
