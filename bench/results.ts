import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DeferReport } from './deferral.ts';
import type { StartReport } from './start.ts';
import type { RoundOptions, ThroughputReport } from './throughput.ts';

export type Report = (ThroughputReport | DeferReport | StartReport) & {
  /** Absent in older results. */
  readonly options?: RoundOptions;
};

/** Where and of what results were measured. Only results with equal circumstances may be compared. */
export interface Circumstances {
  readonly cpu: string;
  readonly memory: string;
  readonly node: string;
  readonly commit: string;
}

export interface Results {
  readonly circumstances: Circumstances;
  readonly reports: readonly Report[];
}

/** Results that are not committed. */
const resultsDirectory = join(import.meta.dirname, 'results');

/** The committed results, which `docs/performance.md` shows. */
export const latestDirectory = join(resultsDirectory, 'latest');

/** Adds results to earlier ones. A scenario that both have is taken from the later ones; its targets that only the
 *  earlier ones have remain.
 *  @throws if they are of another machine, Node or commit */
export function mergeResults(earlier: Results, later: Results): Results {
  for (const name of ['cpu', 'memory', 'node', 'commit'] as const) {
    const [old, current] = [earlier.circumstances[name], later.circumstances[name]];
    if (old !== current) {
      throw new Error(
        `Results of different circumstances cannot be merged: ${name} was ${old} and is ${current}. Choose another name with --into, or delete the earlier file.`,
      );
    }
  }
  const reports = new Map(earlier.reports.map((report) => [report.scenario, report]));
  for (const report of later.reports)
    reports.set(report.scenario, mergeReport(reports.get(report.scenario), report));
  return { circumstances: later.circumstances, reports: [...reports.values()] };
}

function mergeReport(earlier: Report | undefined, later: Report): Report {
  if (earlier?.kind !== later.kind) return later;
  const isMeasuredAgain = (target: string) => later.rows.some((row) => row.target === target);
  const rows = [...earlier.rows.filter(({ target }) => !isMeasuredAgain(target)), ...later.rows];
  return { ...later, rows } as Report;
}

export function resultsPath(name: string): string {
  return join(resultsDirectory, `${name}.json`);
}

/** @throws if the file does not exist or is not JSON */
export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8')) as Results;
}

export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
}

/** Writes results to a file that may have earlier ones. */
export function addToResults(path: string, results: Results): void {
  writeResults(path, existsSync(path) ? mergeResults(readResults(path), results) : results);
}
