/** @jsxImportSource preact */
import type { InsightsData, SeriesPoint } from '../insightsData.ts';
import { formatCount, formatMs, formatRate, formatShare } from './format.ts';
import { Section } from './Section.tsx';

/** How many points of ten seconds the numbers are about. */
const recentPoints = 6;

export function Overview({ data }: { data: InsightsData }) {
  const recent = data.series.slice(-recentPoints);
  if (recent.length === 0) {
    return (
      <Section id="now" title="Now">
        <p class="notice">
          The first numbers are here ten seconds after the gateway has loaded a supergraph.
        </p>
      </Section>
    );
  }
  const sum = (read: (point: SeriesPoint) => number): number =>
    recent.reduce((total, point) => total + read(point), 0);
  const answers = sum((point) => point.answers);
  const errors = sum((point) => point.errors);
  const lookups = sum(({ cache }) => cache.hits + cache.stale + cache.misses);
  const served = sum(({ cache }) => cache.hits + cache.stale);
  const budgets = sum(({ budgets: { inTime, stale, missed } }) => inTime + stale + missed);
  const inTime = sum((point) => point.budgets.inTime);
  const worst = (read: (point: SeriesPoint) => number | undefined): number | undefined => {
    const values = recent.flatMap((point) => read(point) ?? []);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const last = recent.at(-1) as SeriesPoint;
  const tiles = [
    ['Answers per second', formatRate(answers / (recent.length * 10)), ''],
    ['With errors', answers === 0 ? '–' : formatShare(errors / answers), errors > 0 ? 'warm' : ''],
    ['First payload, p95', formatMs(worst((point) => point.firstPayload?.p95)), ''],
    ['Completion, p95', formatMs(worst((point) => point.completion?.p95)), ''],
    ['Served from cache', lookups === 0 ? 'no lookups' : formatShare(served / lookups), ''],
    ['Enrichments in time', budgets === 0 ? 'no budgets' : formatShare(inTime / budgets), ''],
    ['Unfinished jobs', formatCount(last.backlog), ''],
    ['Open breakers', formatCount(last.openBreakers), last.openBreakers > 0 ? 'hot' : ''],
    ['Event loop busy', formatShare(last.eventLoop), last.eventLoop > 0.8 ? 'hot' : ''],
  ] as const;
  return (
    <Section id="now" title="Now" note={`The last ${recent.length * 10} seconds.`}>
      <dl class="tiles">
        {tiles.map(([title, value, heat]) => (
          <div key={title} class={`tile ${heat}`}>
            <dt>{title}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}
