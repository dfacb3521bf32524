import type { DeferReport } from './deferral.ts';
import type { FirstPayloadResult } from './firstPayload.ts';
import { median } from './percentile.ts';
import type { ThroughputReport, ThroughputRow } from './throughput.ts';

export type Report = ThroughputReport | DeferReport;

/** The target that all other targets are compared with. */
const baseline = 'floor-merged';

export function markdown(report: Report): string {
  return report.kind === 'throughput' ? throughputTable(report) : deferTable(report);
}

function throughputTable({ scenario, answerBytes, rows }: ThroughputReport): string {
  const floorCpu = cpuOf(rows.find(({ target }) => target === baseline));
  const peerCpus = rows.filter(({ role }) => role === 'peer').map(cpuOf);
  const bestPeerCpu = Math.min(...peerCpus.filter((cpu) => !Number.isNaN(cpu)));
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
      ratio(bestPeerCpu, medians.cpuMsPerRequest),
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
