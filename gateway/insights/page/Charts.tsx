/** @jsxImportSource preact */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { SeriesPoint } from '../insightsData.ts';
import { Section } from './Section.tsx';

interface ChartDefinition {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly {
    readonly label: string;
    /** `null` leaves a gap. */
    read(point: SeriesPoint): number | null;
  }[];
}

const charts: readonly ChartDefinition[] = [
  {
    title: 'First payload and completion, p95',
    unit: 'ms',
    lines: [
      { label: 'first payload', read: ({ firstPayload }) => firstPayload?.p95 ?? null },
      { label: 'completion', read: ({ completion }) => completion?.p95 ?? null },
    ],
  },
  {
    title: 'Answers',
    unit: 'per s',
    lines: [
      { label: 'answers', read: ({ answers }) => answers / 10 },
      { label: 'with errors', read: ({ errors }) => errors / 10 },
    ],
  },
  {
    title: 'Cache lookups',
    unit: 'per s',
    lines: [
      { label: 'fresh', read: ({ cache }) => cache.hits / 10 },
      { label: 'stale', read: ({ cache }) => cache.stale / 10 },
      { label: 'misses', read: ({ cache }) => cache.misses / 10 },
    ],
  },
  {
    title: 'Latency budgets',
    unit: 'per s',
    lines: [
      { label: 'in time', read: ({ budgets }) => budgets.inTime / 10 },
      { label: 'stale value', read: ({ budgets }) => budgets.stale / 10 },
      { label: 'missed', read: ({ budgets }) => budgets.missed / 10 },
    ],
  },
  {
    title: 'Waiting',
    unit: '',
    lines: [
      { label: 'queued calls', read: ({ queued }) => queued },
      { label: 'unfinished jobs', read: ({ backlog }) => backlog },
      { label: 'open breakers', read: ({ openBreakers }) => openBreakers },
    ],
  },
  {
    title: 'Event loop',
    unit: '% busy',
    lines: [{ label: 'busy', read: ({ eventLoop }) => eventLoop * 100 }],
  },
];

export function Charts({ series }: { series: readonly SeriesPoint[] }) {
  return (
    <Section id="charts" title="Charts" note="The last 15 minutes, a point for each ten seconds.">
      {series.length < 2 ? (
        <p class="notice">The charts begin with the second point, twenty seconds after the start.</p>
      ) : (
        <div class="charts">
          {charts.map((definition) => (
            <Chart key={definition.title} definition={definition} series={series} />
          ))}
        </div>
      )}
    </Section>
  );
}

const height = 170;

function Chart({ definition, series }: { definition: ChartDefinition; series: readonly SeriesPoint[] }) {
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const { title, unit, lines } = definition;
  const data = useMemo(() => pointsOf(definition, series), [definition, series]);
  // The chart is created once, and again in other colours.
  const newest = useRef(data);
  newest.current = data;

  useEffect(() => {
    const parent = element.current;
    if (parent === null) return undefined;
    const create = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(definition, parent), newest.current, parent);
    };
    create();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: parent.clientWidth, height }));
    resized.observe(parent);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', create);
    return () => {
      scheme.removeEventListener('change', create);
      resized.disconnect();
      plot.current?.destroy();
    };
  }, [definition]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);

  const last = series.at(-1);
  const latest = lines
    .map(({ label, read }) => {
      const value = last === undefined ? null : read(last);
      return `${label} ${value === null ? 'none' : `${round(value)} ${unit}`}`;
    })
    .join(', ');
  return (
    <figure class="chart">
      <figcaption>
        {title} {unit !== '' && <span class="soft">{unit}</span>}
      </figcaption>
      <div ref={element} role="img" aria-label={`${title}. Latest: ${latest}.`} />
      <ul class="legend">
        {lines.map(({ label }, index) => (
          <li key={label}>
            <span class={`swatch line-${index}`} aria-hidden="true" /> {label}
          </li>
        ))}
      </ul>
    </figure>
  );
}

function pointsOf({ lines }: ChartDefinition, series: readonly SeriesPoint[]): uPlot.AlignedData {
  const times = series.map(({ at }) => Date.parse(at) / 1_000);
  return [times, ...lines.map(({ read }) => series.map(read))];
}

function optionsOf({ lines }: ChartDefinition, parent: HTMLElement): uPlot.Options {
  // The value of a custom property is its text, such as `light-dark(…)`; that of a colour is a colour.
  const probe = parent.appendChild(document.createElement('span'));
  const colourOf = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const axis: uPlot.Axis = {
    stroke: colourOf('--soft'),
    grid: { stroke: colourOf('--grid'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  const lineColours = lines.map((_, index) => colourOf(`--line-${index}`));
  probe.remove();
  return {
    width: parent.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    // Half of the last time at the x axis is beside the chart.
    padding: [null, 28, null, null],
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, space: 70, values: (_, times) => times.map(formatClock) },
      { ...axis, size: 48, values: (_, values) => values.map((value) => compact.format(value)) },
    ],
    series: [
      {},
      ...lines.map(({ label }, index) => ({
        label,
        stroke: lineColours[index] ?? '',
        width: 2,
        dash: dashes[index] ?? [],
        points: { show: false, filter: isolatedPoints, fill: lineColours[index] ?? '' },
      })),
    ],
  };
}

/** The points between gaps: a line needs two, and a gateway with little traffic has single ones only. */
function isolatedPoints({ data }: uPlot, line: number): number[] | null {
  const values = data[line] ?? [];
  const hasValue = (index: number): boolean => typeof values[index] === 'number';
  const isolated = Array.from(values.keys()).filter(
    (index) => hasValue(index) && !hasValue(index - 1) && !hasValue(index + 1),
  );
  return isolated.length === 0 ? null : isolated;
}

/** `1.5M`: a longer number has no room beside the chart. */
const compact = new Intl.NumberFormat('en', { notation: 'compact' });

/** Lines differ not only by colour. */
const dashes: readonly number[][] = [[], [6, 3], [2, 3]];

function formatClock(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString('en', {
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
    second: seconds % 60 === 0 ? undefined : '2-digit',
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
