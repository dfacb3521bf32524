import { isDeepStrictEqual } from 'node:util';
import type { BenchEnvironment } from './benchEnvironment.ts';
import { targetCore } from './childProcess.ts';
import type { ClosedLoopResult } from './closedLoop.ts';
import { operationText } from './operations.ts';
import { median } from './percentile.ts';
import { referenceAnswer } from './reference.ts';
import type { ThroughputScenario } from './scenarios.ts';
import type { RunningTarget } from './startTarget.ts';
import type { Target } from './targets/target.ts';

export interface RoundOptions {
  readonly seconds: number;
  readonly rounds: number;
  /** The warm-up of each target before its first round. */
  readonly firstWarmUpSeconds: number;
}

export interface ThroughputReport {
  readonly scenario: string;
  readonly kind: 'throughput';
  readonly answerBytes: number;
  readonly rows: readonly ThroughputRow[];
}

export interface ThroughputRow {
  readonly target: string;
  readonly role: Target['role'];
  /** In the order of the rounds; empty if the target could not be measured. */
  readonly rounds: readonly ClosedLoopResult[];
  readonly medians?: ClosedLoopResult;
  readonly failure?: string;
}

/** The warm-up before later rounds: other targets only cooled the caches meanwhile. */
const laterWarmUpMs = 1000;

/** Measures all targets in turn, round after round, so that a change of the machine affects all of them. */
export async function measureThroughput(
  scenario: ThroughputScenario,
  targets: readonly Target[],
  environment: BenchEnvironment,
  options: RoundOptions,
  log: (line: string) => void,
): Promise<ThroughputReport> {
  const query = operationText(scenario.operation);
  const expected = referenceAnswer(query);
  const running: RunningTarget[] = [];
  const failures = new Map<Target, string>();
  const rounds = new Map<Target, ClosedLoopResult[]>(targets.map((target) => [target, []]));

  for (const target of targets) {
    try {
      const started = await environment.startTarget(target, scenario.sharing);
      await verifyAnswer(started, query, expected);
      running.push(started);
    } catch (error) {
      failures.set(target, messageOf(error));
      log(`${target.name}: ${messageOf(error)}`);
    }
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const { target, url, child } of running) {
      if (failures.has(target)) continue;
      try {
        const result = await environment.runClosedLoop({
          kind: 'closed-loop',
          url,
          query,
          expected,
          connections: scenario.connections,
          warmUpMs: round === 0 ? options.firstWarmUpSeconds * 1000 : laterWarmUpMs,
          measureMs: options.seconds * 1000,
          targetPid: child.pid,
          ...(targetCore === undefined ? {} : { targetCore }),
          subgraphAdmin: environment.subgraphAdmin,
        });
        rounds.get(target)?.push(result);
        log(
          `${scenario.name} round ${round + 1} ${target.name}: ${result.cpuMsPerRequest.toFixed(3)} CPU ms`,
        );
      } catch (error) {
        failures.set(target, messageOf(error));
        log(`${target.name}: ${messageOf(error)}`);
      }
    }
  }
  await Promise.all(running.map(({ child }) => child.stop()));

  return {
    scenario: scenario.name,
    kind: 'throughput',
    answerBytes: Buffer.byteLength(JSON.stringify({ data: expected })),
    rows: targets.map((target) => row(target, rounds.get(target) ?? [], failures.get(target))),
  };
}

function row(
  target: Target,
  rounds: readonly ClosedLoopResult[],
  failure: string | undefined,
): ThroughputRow {
  const head = { target: target.name, role: target.role, rounds };
  if (failure !== undefined) return { ...head, failure };
  const over = (pick: (result: ClosedLoopResult) => number) => median(rounds.map(pick));
  return {
    ...head,
    medians: {
      requestsPerSecond: over((result) => result.requestsPerSecond),
      p50Ms: over((result) => result.p50Ms),
      p99Ms: over((result) => result.p99Ms),
      cpuMsPerRequest: over((result) => result.cpuMsPerRequest),
      subgraphRequestsPerRequest: over((result) => result.subgraphRequestsPerRequest),
      peakRssMib: over((result) => result.peakRssMib),
      ...(targetCore === undefined
        ? {}
        : { foreignLoadPercent: over((result) => result.foreignLoadPercent ?? 0) }),
      wrongAnswers: rounds.reduce((sum, { wrongAnswers }) => sum + wrongAnswers, 0),
    },
  };
}

async function verifyAnswer({ target, url }: RunningTarget, query: string, expected: unknown): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  const { data, errors } = JSON.parse(text) as { data?: unknown; errors?: unknown };
  if (errors !== undefined || !isDeepStrictEqual(data, expected)) {
    throw new Error(`The response of ${target.name} differs from the reference: ${text.slice(0, 500)}`);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
