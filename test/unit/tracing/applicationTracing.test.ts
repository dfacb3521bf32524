import { afterEach, expect, jest, test } from '@jest/globals';
import type { HrTime } from '@opentelemetry/api';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { ApplicationTracing } from '../../../gateway/tracing/applicationTracing.ts';
import { OperationDescriptions } from '../../../gateway/tracing/operationDescriptions.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

function fail(error: unknown): never {
  throw error;
}

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
  const tracing = new ApplicationTracing(provider.getTracer('test'), new OperationDescriptions(false), fail);
  const clock = jest.spyOn(Date, 'now');
  const startedAt = performance.now();
  for (const differenceMs of [-1, 0, 1]) {
    clock.mockReturnValue(performance.timeOrigin + performance.now() + differenceMs);
    tracing.startTrace('graphql.operation', { headers: new Map(), startedAt });
  }
  expect(startTimes).toEqual(Array(3).fill(startTimes[0]));
});

test('what is sent on belongs to the parent when the provider fails to start a span, and each failure is reported', () => {
  let isFailing = false;
  const failIfFailing = (): void => {
    if (isFailing) fail(new Error('fault'));
  };
  const provider = new TracerProvider({
    spanProcessors: [
      {
        onStart: failIfFailing,
        onEnd: failIfFailing,
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  });
  const failures: unknown[] = [];
  const tracing = new ApplicationTracing(
    provider.getTracer('test'),
    new OperationDescriptions(false),
    (error) => failures.push(error),
  );
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const start = () =>
    tracing.startTrace('graphql.operation', { headers: new Map([['traceparent', traceparent]]) });
  const root = start().trace?.root;
  isFailing = true;
  expect(root?.startChild('graphql.execute').headers).toEqual(root?.headers);
  expect(root?.startLinked('subgraph.fetch')).toBeUndefined();
  root?.end();
  expect(start()).toEqual({ headers: ['traceparent', traceparent], trace: undefined });
  expect(failures).toEqual(Array(4).fill(new Error('fault')));
});
