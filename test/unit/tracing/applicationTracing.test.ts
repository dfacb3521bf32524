import { afterEach, expect, jest, test } from '@jest/globals';
import type { HrTime } from '@opentelemetry/api';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { ApplicationTracing } from '../../../gateway/tracing/applicationTracing.ts';
import { OperationDescriptions } from '../../../gateway/tracing/operationDescriptions.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

test('traces that begin at the same time have the same time, although the wall clock has whole milliseconds', () => {
  const startTimes: HrTime[] = [];
  const provider = new TracerProvider({
    spanProcessors: [
      {
        onStart: ({ startTime }) => void startTimes.push(startTime),
        onEnd: () => {},
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  });
  const tracing = new ApplicationTracing(provider.getTracer('test'), new OperationDescriptions(false));
  const clock = jest.spyOn(Date, 'now');
  const startedAt = performance.now();
  for (const differenceMs of [-1, 0, 1]) {
    clock.mockReturnValue(performance.timeOrigin + performance.now() + differenceMs);
    tracing.startTrace('graphql.operation', { headers: new Map(), startedAt });
  }
  expect(startTimes).toEqual(Array(3).fill(startTimes[0]));
});
