import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSyntheticStore } from './contracts/syntheticStore.ts';
import { median } from './percentile.ts';
import { treeCpuMs, treePeakRssMib } from './processTree.ts';
import type { StartScenario } from './scenarios.ts';
import { startTarget } from './startTarget.ts';
import type { Target } from './targets/target.ts';
import { buildTributary } from './targets/tributary.ts';
import { messageOf, type RoundOptions, type TargetRow } from './throughput.ts';
import { writeSupergraph } from './writeSupergraph.ts';

interface StartResult {
  readonly readyMs: number;
  readonly cpuMs: number;
  readonly peakRssMib: number;
}

export interface StartReport {
  readonly scenario: string;
  readonly kind: 'start';
  readonly subgraphs: number;
  readonly types: number;
  readonly rows: readonly TargetRow<StartResult>[];
}

/** Starts each target once per round, alone, and stops it when it is ready. */
export async function measureStart(
  scenario: StartScenario,
  targets: readonly Target[],
  { rounds }: RoundOptions,
  log: (line: string) => void,
): Promise<StartReport> {
  const directory = mkdtempSync(join(tmpdir(), 'tributary-bench-start-'));
  const results = new Map<Target, StartResult[]>(targets.map((target) => [target, []]));
  const failures = new Map<Target, string>();
  try {
    if (targets.some(({ role }) => role === 'subject')) buildTributary();
    const supergraphFile = await writeGeneratedSupergraph(directory, scenario);
    const context = { supergraphFile, subgraphUrls: {}, sharing: scenario.sharing, directory };
    for (let round = 0; round < rounds; round++) {
      for (const target of targets) {
        if (failures.has(target)) continue;
        try {
          const startedAt = performance.now();
          const { child } = await startTarget(target, context);
          const result = {
            readyMs: performance.now() - startedAt,
            cpuMs: treeCpuMs(child.pid),
            peakRssMib: treePeakRssMib(child.pid),
          };
          await child.stop();
          results.get(target)?.push(result);
          log(
            `${scenario.name} round ${round + 1} ${target.name}: ready after ${result.readyMs.toFixed(0)} ms`,
          );
        } catch (error) {
          failures.set(target, messageOf(error));
          log(`${target.name}: ${messageOf(error)}`);
        }
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  const { name, subgraphs, types } = scenario;
  const rows = targets.map((target) => row(target, results.get(target) ?? [], failures.get(target)));
  return { scenario: name, kind: 'start', subgraphs, types, rows };
}

function writeGeneratedSupergraph(directory: string, { subgraphs, types }: StartScenario): Promise<string> {
  writeSyntheticStore(directory, { subgraphs, types, operations: 1 }, 'agreed');
  const schemas = join(directory, 'schemas');
  const inputs = readdirSync(schemas).map((file) => {
    const name = file.replace('.graphql', '');
    return { name, url: `http://127.0.0.1:1/${name}`, sdl: readFileSync(join(schemas, file), 'utf8') };
  });
  return writeSupergraph(join(directory, 'supergraph.graphql'), inputs);
}

function row(
  target: Target,
  rounds: readonly StartResult[],
  failure: string | undefined,
): TargetRow<StartResult> {
  const head = { target: target.name, role: target.role, rounds };
  if (failure !== undefined) return { ...head, failure };
  const over = (pick: (result: StartResult) => number) => median(rounds.map(pick));
  const medians = {
    readyMs: over(({ readyMs }) => readyMs),
    cpuMs: over(({ cpuMs }) => cpuMs),
    peakRssMib: over(({ peakRssMib }) => peakRssMib),
  };
  return { ...head, medians };
}
