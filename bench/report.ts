import type { DeferReport } from './deferral.ts';
import type { FirstPayloadResult } from './firstPayload.ts';
import { median } from './percentile.ts';
import { plotsOf } from './plots.ts';
import type { ProfiledFunction } from './profileTarget.ts';
import type { Report, Results } from './results.ts';
import type { StartReport } from './start.ts';
import type { ThroughputReport, ThroughputRow } from './throughput.ts';

/** The target that all other targets are compared with. */
const baseline = 'floor-merged';

const subject = 'tributary';

/** Everything that was measured, as sections of a page. `plots` is the path of the plots' folder from that page. */
export function markdown(results: Results, plots?: string): string {
  const { cpu, memory, node, commit } = results.circumstances;
  const shown = plots === undefined ? [] : plotsOf(results);
  const sections = results.reports.map((report) => {
    const plot = shown.find(({ name }) => name === `${report.scenario}.svg`);
    return [table(report), ...(plot ? ['', image(plot, plots)] : [])].join('\n');
  });
  const growth = shown.filter(({ name }) => name.startsWith('growth-')).map((plot) => image(plot, plots));
  return [
    `${cpu}, ${memory}, ${node}, commit ${commit}`,
    targetsTable(results.reports),
    ...sections,
    ...growth,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const [begin, end] = ['<!-- results: begin -->', '<!-- results: end -->'];

/** The page with these results between its two marks.
 *  @throws if it has no marks */
export function publishedPage(page: string, results: Results): string {
  const [start, stop] = [page.indexOf(begin), page.indexOf(end)];
  if (start < 0 || stop < start) throw new Error(`The page has no ${begin} followed by ${end}.`);
  return `${page.slice(0, start + begin.length)}\n\n${markdown(results, '../bench/results/latest')}\n\n${page.slice(stop)}`;
}

/** A page with the profiles of all scenarios, without those of other gateways. */
export function profilesPage({ circumstances: { cpu, node, commit }, reports }: Results): string {
  const sections = reports.flatMap((report) =>
    report.kind === 'throughput' ? report.rows.flatMap((row) => profileSection(report.scenario, row)) : [],
  );
  return `${[
    '# Where the time and the memory of requests go',
    'The functions that take most themselves, without those that they call. `(program)` is native code, mostly system calls. ' +
      '[bench/README.md](../../README.md#profiles) says how to take these profiles.',
    `${cpu}, ${node}, commit ${commit}`,
    ...sections,
  ].join('\n\n')}\n`;
}

function profileSection(scenario: string, { target, role, medians, profile }: ThroughputRow): string[] {
  if (profile === undefined || medians === undefined || role === 'peer') return [];
  const cpuMicroseconds = medians.cpuMsPerRequest * 1000;
  const rowOf = ({ name, place, share }: ProfiledFunction, ...amounts: string[]) =>
    tableRow([`\`${name}\``, place, `${(share * 100).toFixed(1)}`, ...amounts]);
  return [
    `## ${scenario}, ${target}`,
    [
      ...tableHead(['CPU time of', 'at', '%', 'µs/request']),
      ...profile.cpu.map((row) => rowOf(row, (row.share * cpuMicroseconds).toFixed(1))),
    ].join('\n'),
    [...tableHead(['bytes allocated by', 'at', '%']), ...profile.allocations.map((row) => rowOf(row))].join(
      '\n',
    ),
  ];
}

function image({ name, title }: { readonly name: string; readonly title: string }, folder = '.'): string {
  return `![${title}](${folder}/${name})`;
}

export function table(report: Report): string {
  if (report.kind === 'throughput') return throughputTable(report);
  return report.kind === 'start' ? startTable(report) : deferTable(report);
}

/** One target of the project. Its value is `NaN` if it was not measured. */
type TargetLine = readonly [measured: string, target: string, value: number, text: (value: number) => string];

/** The targets of the project, with what was measured for each. */
function targetsTable(reports: readonly Report[]): string {
  const measured = [...cpuTargets(reports), ...otherTargets(reports)].filter(([, , value]) =>
    Number.isFinite(value),
  );
  if (measured.length === 0) return '';
  return [
    '### Targets',
    '',
    ...tableHead(['measured', 'target', 'reached']),
    ...measured.map(([scenario, target, value, format]) => tableRow([scenario, target, format(value)])),
  ].join('\n');
}

function cpuTargets(reports: readonly Report[]): readonly TargetLine[] {
  const ratioTo = (scenario: string, target: string) => cpuRatio(reports, scenario, target);
  const bestPeerRatio = (scenario: string) =>
    bestPeerCpu(throughputOf(reports, scenario) ?? []) / cpuOf(throughputRow(reports, scenario, subject));
  return [
    ['`big`, CPU of the floor', '≤ 1.25 ×', ratioTo('big', baseline), times],
    ['`big`, less than the best other gateway', '≥ 6 ×', bestPeerRatio('big'), times],
    ['`unique`, CPU of the floor', '≤ 1.3 ×', ratioTo('unique', baseline), times],
    ['`unique`, less than the best other gateway', '≥ 6 ×', bestPeerRatio('unique'), times],
    ['`small`, CPU of the floor', '≤ 1.5 ×', ratioTo('small', baseline), times],
    ['`small`, CPU of Mercurius', '≤ 1 ×', ratioTo('small', 'mercurius'), times],
    ['`shared`, less than the best other gateway', '≥ 8 ×', bestPeerRatio('shared'), times],
  ];
}

/** The targets of response times, errors, `@defer`, memory and starts. */
function otherTargets(reports: readonly Report[]): readonly TargetLine[] {
  // Requests that were refused at once make the response times meaningless.
  const p99Beyond = (scenario: string) => {
    const own = throughputRow(reports, scenario, subject)?.medians;
    return own?.wrongAnswers
      ? Number.NaN
      : (own?.p99Ms ?? Number.NaN) -
          (throughputRow(reports, scenario, baseline)?.medians?.p99Ms ?? Number.NaN);
  };
  const latencies = ['50', '500', 'burst'].map(
    (load): TargetLine => [
      `\`latency-${load}\`, p99 above that of the floor`,
      '≤ 3 ms',
      p99Beyond(`latency-${load}`),
      (value) => `${value.toFixed(1)} ms`,
    ],
  );
  const errors = throughputRow(reports, 'latency-burst', subject)?.medians?.wrongAnswers ?? Number.NaN;
  const memory = throughputRow(reports, 'big', subject)?.medians?.peakRssMib ?? Number.NaN;
  const start = reports
    .find((report) => report.kind === 'start')
    ?.rows.find(({ target }) => target === subject)?.medians;
  const readyMs = start?.readyMs ?? Number.NaN;
  return [
    ...latencies,
    ['`latency-burst`, errors', '0', errors, (value) => value.toFixed(0)],
    [
      '`defer-cost`, CPU of the plain query',
      '≤ 1.2 ×',
      cpuRatio(reports, 'defer-cost', 'tributary-plain'),
      times,
    ],
    ['`big`, peak resident memory', '≤ 300 MiB', memory, (value) => `${value.toFixed(0)} MiB`],
    ['`start`, until ready', '≤ 2 s', readyMs / 1000, (value) => `${value.toFixed(2)} s`],
  ];
}

function times(value: number): string {
  return `${value.toFixed(2)} ×`;
}

/** The CPU time of a request in relation to that of another target. */
function cpuRatio(reports: readonly Report[], scenario: string, target: string): number {
  return cpuOf(throughputRow(reports, scenario, subject)) / cpuOf(throughputRow(reports, scenario, target));
}

function throughputRow(
  reports: readonly Report[],
  scenario: string,
  target: string,
): ThroughputRow | undefined {
  return throughputOf(reports, scenario)?.find((row) => row.target === target);
}

function throughputOf(reports: readonly Report[], scenario: string): readonly ThroughputRow[] | undefined {
  const report = reports.find((candidate) => candidate.scenario === scenario);
  return report?.kind === 'throughput' ? report.rows : undefined;
}

function bestPeerCpu(rows: readonly ThroughputRow[]): number {
  const cpus = rows.filter(({ role }) => role === 'peer').map(cpuOf);
  return Math.min(...cpus.filter((cpu) => !Number.isNaN(cpu)));
}

function throughputTable({ scenario, answerBytes, rows }: ThroughputReport): string {
  const floorCpu = cpuOf(rows.find(({ target }) => target === baseline));
  const peerCpu = bestPeerCpu(rows);
  const lines = rows.map((row) => {
    const { medians, failure, target } = row;
    if (!medians) return tableRow([target, `not measured: ${firstLine(failure ?? '')}`]);
    const cpus = row.rounds.map(({ cpuMsPerRequest }) => cpuMsPerRequest);
    return tableRow([
      target,
      medians.requestsPerSecond.toFixed(0),
      `${medians.p50Ms.toFixed(1)} / ${medians.p99Ms.toFixed(1)}`,
      medians.cpuMsPerRequest.toFixed(3),
      `${Math.min(...cpus).toFixed(3)}–${Math.max(...cpus).toFixed(3)}`,
      ratio(medians.cpuMsPerRequest, floorCpu),
      ratio(peerCpu, medians.cpuMsPerRequest),
      medians.subgraphRequestsPerRequest.toFixed(2),
      medians.peakRssMib.toFixed(0),
      medians.foreignLoadPercent?.toFixed(0) ?? '–',
      String(medians.wrongAnswers),
    ]);
  });
  return [
    `### ${scenario} (response of ${(answerBytes / 1000).toFixed(1)} kB)`,
    '',
    ...tableHead([
      'target',
      'requests/s',
      'p50 / p99 ms',
      'CPU ms/request',
      'range',
      `× ${baseline}`,
      'best peer ÷ this',
      'subgraph requests/request',
      'peak RSS MiB',
      'foreign load %',
      'wrong responses',
    ]),
    ...lines,
  ].join('\n');
}

function startTable({ scenario, subgraphs, types, rows }: StartReport): string {
  const lines = rows.map(({ target, medians, failure, rounds }) =>
    medians
      ? tableRow([
          target,
          (medians.readyMs / 1000).toFixed(2),
          rounds.map(({ readyMs }) => (readyMs / 1000).toFixed(2)).join(', '),
          (medians.cpuMs / 1000).toFixed(2),
          medians.peakRssMib.toFixed(0),
        ])
      : tableRow([target, `not measured: ${firstLine(failure ?? '')}`]),
  );
  return [
    `### ${scenario} (${subgraphs} subgraphs, ${types} types)`,
    '',
    ...tableHead(['target', 'ready after s', 'rounds', 'CPU s', 'peak RSS MiB']),
    ...lines,
  ].join('\n');
}

function deferTable({ scenario, delayMs, rows }: DeferReport): string {
  const lines = rows.flatMap(({ target, prompt, deferred, firstP99DifferenceMs, failure }) => {
    if (failure !== undefined) return [tableRow([target, `not measured: ${firstLine(failure)}`])];
    return [
      deferRow(`${target}, without the slow field`, prompt, ''),
      deferRow(`${target}, slow field deferred`, deferred, (firstP99DifferenceMs ?? Number.NaN).toFixed(1)),
    ];
  });
  return [
    `### ${scenario} (one field's subgraph takes ${delayMs} ms)`,
    '',
    ...tableHead([
      'operation',
      'first payload p50 / p99 ms',
      'complete response p50 / p99 ms',
      'p99 difference ms',
      'requests per round',
      'wrong responses',
    ]),
    ...lines,
  ].join('\n');
}

function deferRow(name: string, results: readonly FirstPayloadResult[], difference: string): string {
  const over = (pick: (result: FirstPayloadResult) => number) => median(results.map(pick)).toFixed(1);
  return tableRow([
    name,
    `${over((result) => result.firstP50Ms)} / ${over((result) => result.firstP99Ms)}`,
    `${over((result) => result.wholeP50Ms)} / ${over((result) => result.wholeP99Ms)}`,
    difference,
    String(results[0]?.requests ?? 0),
    String(results.reduce((sum, { wrongAnswers }) => sum + wrongAnswers, 0)),
  ]);
}

function cpuOf(row: ThroughputRow | undefined): number {
  return row?.medians?.cpuMsPerRequest ?? Number.NaN;
}

function ratio(numerator: number, denominator: number): string {
  const value = numerator / denominator;
  return Number.isFinite(value) ? value.toFixed(2) : '–';
}

function tableHead(names: readonly string[]): string[] {
  return [tableRow(names), tableRow(names.map(() => '---'))];
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
