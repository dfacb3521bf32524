import type { Report, Results } from './results.ts';
import { barChart, type Line, logChart, type Series } from './svgChart.ts';
import type { ThroughputReport, ThroughputRow } from './throughput.ts';

interface Plot {
  /** The file's name. */
  readonly name: string;
  /** What it shows, for readers who do not see it. */
  readonly title: string;
  readonly svg: string;
}

/** What grows in the scenarios `growth-AXIS-NUMBER`, and whether the CPU per request should grow with it. */
const growthAxes: Readonly<Record<string, { readonly title: string; readonly isLinear: boolean }>> = {
  representations: { title: 'representations of one request', isLinear: true },
  subgraphs: { title: 'subgraphs that one request needs', isLinear: true },
  clients: { title: 'clients, each with one request at a time', isLinear: false },
  workers: { title: 'workers', isLinear: false },
};

const seriesOf: Readonly<Record<ThroughputRow['role'], Series>> = { subject: 0, floor: 1, peer: 2 };

/** The charts of the results that are there. */
export function plotsOf({ reports }: Results): readonly Plot[] {
  const throughputs = reports.filter((report) => report.kind === 'throughput');
  const bars = throughputs
    .filter(({ scenario }) => /^(big|unique|small|shared)$/.test(scenario))
    .map((report) => cpuBars(report));
  const p99 = throughputs
    .filter(({ scenario }) => scenario.startsWith('latency-'))
    .map((report) => latencyBars(report));
  const growth = Object.keys(growthAxes).map((axis) => growthLines(axis, reports));
  return [...bars, ...p99, ...growth].filter((plot) => plot !== undefined);
}

function cpuBars(report: ThroughputReport): Plot | undefined {
  const title = `${report.scenario}: CPU per request`;
  return bars(report, title, 'ms', ({ cpuMsPerRequest }) => cpuMsPerRequest);
}

function latencyBars(report: ThroughputReport): Plot | undefined {
  return bars(report, `${report.scenario}: p99 of the response time`, 'ms', ({ p99Ms }) => p99Ms);
}

function bars(
  { scenario, rows }: ThroughputReport,
  title: string,
  unit: string,
  pick: (medians: NonNullable<ThroughputRow['medians']>) => number,
): Plot | undefined {
  const values = rows.flatMap(({ target, role, medians }) =>
    medians ? [{ label: target, value: pick(medians), series: seriesOf[role] }] : [],
  );
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a.value - b.value);
  return { name: `${scenario}.svg`, title, svg: barChart(title, unit, sorted) };
}

function growthLines(axis: string, reports: readonly Report[]): Plot | undefined {
  const prefix = `growth-${axis}-`;
  const lines = new Map<string, { series: Series; points: [number, number][] }>();
  for (const report of reports) {
    if (report.kind !== 'throughput' || !report.scenario.startsWith(prefix)) continue;
    for (const { target, role, medians } of report.rows) {
      if (!medians) continue;
      const line = lines.get(target) ?? { series: seriesOf[role], points: [] };
      line.points.push([Number(report.scenario.slice(prefix.length)), medians.cpuMsPerRequest]);
      lines.set(target, line);
    }
  }
  const { title, isLinear } = growthAxes[axis] ?? { title: axis, isLinear: false };
  const measured = Array.from(lines, ([label, { series, points }]): Line => {
    return { label, series, points: points.toSorted(([a], [b]) => a - b) };
  });
  const subject = measured.find(({ series }) => series === 0);
  if (subject === undefined || subject.points.length < 2) return undefined;
  const all = isLinear ? [...measured, linearFrom(subject)] : measured;
  const heading = `CPU per request by the number of ${title}`;
  return {
    name: `growth-${axis}.svg`,
    title: heading,
    svg: logChart(heading, title, 'CPU ms per request', all),
  };
}

/** Growth in proportion, from the line's first point. */
function linearFrom({ points }: Line): Line {
  const [x0, y0] = points[0] ?? [1, 1];
  const line = points.map(([x]): [number, number] => [x, (y0 * x) / x0]);
  return { label: 'in proportion', series: 1, isDashed: true, points: line };
}
