import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { BenchEnvironment } from './benchEnvironment.ts';
import { targetCore } from './childProcess.ts';
import type { ClosedLoopResult } from './closedLoop.ts';
import { MultipartReader, mergedData, type Payload } from './multipart.ts';
import { withoutDefer } from './operations.ts';
import { median } from './percentile.ts';
import { profileTarget, type TargetProfile } from './profileTarget.ts';
import type { ThroughputScenario } from './scenarios.ts';
import type { RunningTarget } from './startTarget.ts';
import { subgraphNames } from './subgraphs/schemas.ts';
import type { Target } from './targets/target.ts';

export interface RoundOptions {
  readonly seconds: number;
  readonly rounds: number;
  /** The warm-up of each target before its first round. */
  readonly firstWarmUpSeconds: number;
  /** The directory for profiles of the Node targets, which are taken after the rounds; omitted for none. */
  readonly profiles?: string;
}

export interface ThroughputReport {
  readonly scenario: string;
  readonly kind: 'throughput';
  readonly answerBytes: number;
  readonly rows: readonly ThroughputRow[];
}

export interface TargetRow<Result> {
  readonly target: string;
  readonly role: Target['role'];
  /** In the order of the rounds; empty if the target could not be measured. */
  readonly rounds: readonly Result[];
  readonly medians?: Result;
  readonly failure?: string;
}

export interface ThroughputRow extends TargetRow<ClosedLoopResult> {
  readonly profile?: TargetProfile;
}

/** The warm-up before later rounds: other targets only cooled the caches meanwhile. */
const laterWarmUpMs = 1500;

/** Measures all targets in turn, round after round, so that a change of the machine affects all of them. */
export async function measureThroughput(
  scenario: ThroughputScenario,
  targets: readonly Target[],
  environment: BenchEnvironment,
  options: RoundOptions,
  log: (line: string) => void,
): Promise<ThroughputReport> {
  const { query, variables, expected } = scenario.operation();
  const requestOf = (target: Target) => {
    const text = target.isPlain ? withoutDefer(query) : query;
    return { query: text, expected, incremental: text.includes('@defer'), ...(variables && { variables }) };
  };
  const running: RunningTarget[] = [];
  const failures = new Map<Target, string>();
  const rounds = new Map<Target, ClosedLoopResult[]>(targets.map((target) => [target, []]));

  for (const target of targets) {
    try {
      const started = await environment.startTarget(target, {
        sharing: scenario.sharing,
        forwardsAuthorization: scenario.identities === true,
      });
      const anonymousBefore = await anonymousRequests(environment);
      await verifyAnswer(started, requestOf(target));
      if (scenario.identities && (await anonymousRequests(environment)) > anonymousBefore) {
        throw new Error(`${target.name} does not send the client's authorization to the subgraphs.`);
      }
      running.push(started);
    } catch (error) {
      failures.set(target, messageOf(error));
      log(`${target.name}: ${messageOf(error)}`);
    }
  }
  await setLatency(environment, scenario.subgraphLatencyMs);
  const runLoad = ({ target, url, child }: RunningTarget, warmUpMs: number) =>
    environment.runClosedLoop({
      kind: 'closed-loop',
      url,
      ...requestOf(target),
      ...(scenario.identities ? { identities: true } : {}),
      ...(scenario.operations === undefined ? {} : { operations: scenario.operations }),
      connections: scenario.connections,
      ...(scenario.burstConnections === undefined ? {} : { burstConnections: scenario.burstConnections }),
      warmUpMs,
      measureMs: options.seconds * 1000,
      targetPid: child.pid,
      ...(targetCore === undefined || target.usesAllCores ? {} : { targetCore }),
      subgraphAdmin: environment.subgraphAdmin,
    });
  for (let round = 0; round < options.rounds; round++) {
    for (const measured of running) {
      const { target } = measured;
      if (failures.has(target)) continue;
      try {
        const warmUpMs = round === 0 ? options.firstWarmUpSeconds * 1000 : laterWarmUpMs;
        const result = await runLoad(measured, warmUpMs);
        rounds.get(target)?.push(result);
        log(
          `${scenario.name} round ${round + 1} ${target.name}: ${result.cpuMsPerRequest.toFixed(3)} CPU ms, ${result.rssMib?.toFixed(0)} MiB`,
        );
      } catch (error) {
        failures.set(target, messageOf(error));
        log(`${target.name}: ${messageOf(error)}`);
      }
    }
  }
  const profiles = new Map<Target, TargetProfile>();
  for (const profiled of running) {
    const { target, child, inspectorPort } = profiled;
    if (options.profiles === undefined || inspectorPort === undefined || failures.has(target)) continue;
    try {
      const profile = await profileTarget({
        pid: child.pid,
        inspectorPort,
        load: () => runLoad(profiled, laterWarmUpMs),
        files: join(options.profiles, `${scenario.name}-${target.name}`),
      });
      profiles.set(target, profile);
    } catch (error) {
      log(`${target.name} could not be profiled: ${messageOf(error)}`);
    }
  }
  await setLatency(environment, undefined);
  await Promise.all(running.map(({ child }) => child.stop()));

  return {
    scenario: scenario.name,
    kind: 'throughput',
    answerBytes: Buffer.byteLength(JSON.stringify({ data: expected })),
    rows: targets.map((target) => {
      const profile = profiles.get(target);
      const measured = row(target, rounds.get(target) ?? [], failures.get(target));
      return profile === undefined ? measured : { ...measured, profile };
    }),
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
      ...(rounds.every(({ foreignLoadPercent }) => foreignLoadPercent === undefined)
        ? {}
        : { foreignLoadPercent: over((result) => result.foreignLoadPercent ?? 0) }),
      wrongAnswers: rounds.reduce((sum, { wrongAnswers }) => sum + wrongAnswers, 0),
    },
  };
}

interface VerifiedRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly expected: unknown;
  readonly incremental: boolean;
}

async function verifyAnswer({ target, url }: RunningTarget, request: VerifiedRequest): Promise<void> {
  const { query, variables, expected, incremental } = request;
  const accept = incremental ? 'multipart/mixed; deferSpec=20220824' : 'application/json';
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, authorization: 'Bearer client-0' },
    body: JSON.stringify({ query, variables }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const head = `\r\ncontent-type: ${response.headers.get('content-type')}\r\n`;
  const texts = incremental ? new MultipartReader(head).push(bytes) : [bytes.toString()];
  const payloads = texts.map((text) => JSON.parse(text) as Payload);
  if (!isDeepStrictEqual(mergedData(payloads), expected)) {
    throw new Error(
      `The response of ${target.name} differs from the reference: ${bytes.toString().slice(0, 500)}`,
    );
  }
}

async function anonymousRequests({ subgraphAdmin }: BenchEnvironment): Promise<number> {
  return (await (await fetch(`${subgraphAdmin}/anonymous`)).json()) as number;
}

/** Delays every response of every subgraph. */
async function setLatency(environment: BenchEnvironment, latencyMs: number | undefined): Promise<void> {
  for (const subgraph of subgraphNames) {
    await environment.setDelay(
      latencyMs === undefined ? { subgraph } : { subgraph, text: '', delayMs: latencyMs },
    );
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
