import { expect, test } from '@jest/globals';
import {
  describePoint,
  mergeSeries,
  msUntilPointEnds,
  noCounts,
  readPoint,
  TimeSeries,
} from '../../../gateway/insights/timeSeries.ts';

const gauges = { queued: 1, openBreakers: ['reviews'], backlog: 2, eventLoop: 0.25 };

/** A series with one answer of each time in a point of its own; the points end at these moments. */
function seriesOf(points: readonly { readonly endsAt: number; readonly ms: number }[], eventLoop: number) {
  const series = new TimeSeries();
  let hits = 0;
  for (const { endsAt, ms } of points) {
    const timings = { plannedMs: 0, readyMs: ms, firstPayloadMs: ms, completeMs: 2 * ms };
    series.addAnswer(timings, { isComplete: true, hasErrors: ms > 50 });
    hits += ms;
    const cache = { ...noCounts.cache, hits };
    series.closePoint(endsAt, { ...noCounts, cache }, { ...gauges, eventLoop });
  }
  return series;
}

test('Points end at multiples of ten seconds, also when a timer fires a little early', () => {
  expect([0, 1, 9_000, 9_899, 9_900, 9_999, 25_000].map(msUntilPointEnds)).toEqual([
    10_000, 9_999, 1_000, 101, 10_100, 10_001, 5_000,
  ]);
  const series = seriesOf(
    [
      { endsAt: 9_990, ms: 10 },
      { endsAt: 20_004, ms: 10 },
      // The event loop was blocked.
      { endsAt: 33_000, ms: 10 },
    ],
    0,
  );
  expect(series.points.map(({ at }) => at)).toEqual([0, 10_000, 20_000]);
});

test('Points of several processes are added up, and the busiest event loop stands for all', () => {
  const workers = [
    seriesOf([{ endsAt: 10_000, ms: 10 }], 0.25),
    seriesOf(
      [
        { endsAt: 10_000, ms: 100 },
        { endsAt: 20_000, ms: 30 },
      ],
      0.75,
    ),
  ];
  const sent = workers.map(({ points }) =>
    points.map((point) => readPoint(JSON.parse(JSON.stringify(point)))),
  );
  const none = { stale: 0, misses: 0 };
  const common = { budgets: noCounts.budgets, openBreakers: 1 };
  expect(mergeSeries(sent).map(describePoint)).toEqual([
    {
      ...common,
      at: '1970-01-01T00:00:00.000Z',
      answers: 2,
      errors: 1,
      firstPayload: expect.objectContaining({ p50: 10.5, p99: 100, mean: 55 }),
      completion: expect.objectContaining({ mean: 110 }),
      cache: { hits: 110, ...none },
      queued: 2,
      backlog: 4,
      eventLoop: 0.75,
    },
    {
      ...common,
      at: '1970-01-01T00:00:10.000Z',
      answers: 1,
      errors: 0,
      firstPayload: expect.objectContaining({ mean: 30 }),
      completion: expect.objectContaining({ mean: 60 }),
      cache: { hits: 30, ...none },
      queued: 1,
      backlog: 2,
      eventLoop: 0.75,
    },
  ]);
});
