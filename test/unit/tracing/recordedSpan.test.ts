import { afterEach, expect, jest, test } from '@jest/globals';
import { OperationDescriptions } from '../../../gateway/tracing/operationDescriptions.ts';
import { LocalTrace } from '../../../gateway/tracing/recordedSpan.ts';
import { SpanRecorder } from '../../../gateway/tracing/spanRecorder.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

test('traces have the same clock, until the clock of the machine is changed', () => {
  const recorder = new SpanRecorder({
    descriptions: new OperationDescriptions(false),
    sampleRatio: 1,
    onEnd: () => {},
  });
  const clock = jest.spyOn(Date, 'now');
  let startedAt = performance.now();
  const offsetAt = (differenceMs: number): number => {
    startedAt += 1_000;
    clock.mockReturnValue(performance.timeOrigin + performance.now() + differenceMs);
    return new LocalTrace(recorder, undefined, startedAt).offsetMs;
  };
  const before = offsetAt(0);
  expect([offsetAt(-1), offsetAt(1), offsetAt(0.3)]).toEqual([before, before, before]);
  const changed = offsetAt(3_600_000);
  expect(changed - before).toBeGreaterThan(3_599_000);
  expect(offsetAt(3_600_001)).toBe(changed);
});
