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
  const measurement = new Measurement(scenario, environment, log);
  for (const target of targets) await measurement.start(target);
  await setLatency(environment, scenario.subgraphLatencyMs);
  for (let round = 0; round < options.rounds; round++) await measurement.measureRound(round, options);
  if (options.profiles !== undefined) await measurement.profile(options.profiles, options);
  await setLatency(environment, undefined);
  await measurement.stop();
  return measurement.report(targets);
}

/** The targets of one scenario, with their results so far. A target that fails is not measured any more. */
class Measurement {
  readonly #scenario: ThroughputScenario;
  readonly #environment: BenchEnvironment;
  readonly #log: (line: string) => void;
  readonly #operation: ReturnType<ThroughputScenario['operation']>;
  readonly #running: RunningTarget[] = [];
  readonly #failures = new Map<Target, string>();
  readonly #rounds = new Map<Target, ClosedLoopResult[]>();
  readonly #profiles = new Map<Target, TargetProfile>();

  constructor(scenario: ThroughputScenario, environment: BenchEnvironment, log: (line: string) => void) {
    this.#scenario = scenario;
    this.#environment = environment;
    this.#log = log;
    this.#operation = scenario.operation();
  }

  /** Starts a target, and verifies its response. */
  async start(target: Target): Promise<void> {
    const { sharing, identities } = this.#scenario;
    try {
      const started = await this.#environment.startTarget(target, {
        sharing,
        forwardsAuthorization: identities === true,
      });
      const anonymousBefore = await anonymousRequests(this.#environment);
      await verifyAnswer(started, this.#requestOf(target));
      if (identities && (await anonymousRequests(this.#environment)) > anonymousBefore) {
        throw new Error(`${target.name} does not send the client's authorization to the subgraphs.`);
      }
      this.#running.push(started);
    } catch (error) {
      this.#fail(target, error);
    }
  }

  async measureRound(round: number, options: RoundOptions): Promise<void> {
    for (const measured of this.#running) {
      const { target } = measured;
      if (this.#failures.has(target)) continue;
      try {
        const warmUpMs = round === 0 ? options.firstWarmUpSeconds * 1000 : laterWarmUpMs;
        const result = await this.#runLoad(measured, warmUpMs, options);
        this.#rounds.set(target, [...(this.#rounds.get(target) ?? []), result]);
        this.#log(
          `${this.#scenario.name} round ${round + 1} ${target.name}: ${result.cpuMsPerRequest.toFixed(3)} CPU ms, ${result.rssMib?.toFixed(0)} MiB`,
        );
      } catch (error) {
        this.#fail(target, error);
      }
    }
  }

  async profile(directory: string, options: RoundOptions): Promise<void> {
    for (const profiled of this.#running) {
      const { target, child, inspectorPort } = profiled;
      if (inspectorPort === undefined || this.#failures.has(target)) continue;
      try {
        const profile = await profileTarget({
          pid: child.pid,
          inspectorPort,
          load: () => this.#runLoad(profiled, laterWarmUpMs, options),
          files: join(directory, `${this.#scenario.name}-${target.name}`),
        });
        this.#profiles.set(target, profile);
      } catch (error) {
        this.#log(`${target.name} could not be profiled: ${messageOf(error)}`);
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map(({ child }) => child.stop()));
  }

  report(targets: readonly Target[]): ThroughputReport {
    return {
      scenario: this.#scenario.name,
      kind: 'throughput',
      answerBytes: Buffer.byteLength(JSON.stringify({ data: this.#operation.expected })),
      rows: targets.map((target) => {
        const profile = this.#profiles.get(target);
        const measured = row(target, this.#rounds.get(target) ?? [], this.#failures.get(target));
        return profile === undefined ? measured : { ...measured, profile };
      }),
    };
  }

  #fail(target: Target, error: unknown): void {
    this.#failures.set(target, messageOf(error));
    this.#log(`${target.name}: ${messageOf(error)}`);
  }

  #requestOf(target: Target): VerifiedRequest {
    const { query, variables, expected } = this.#operation;
    const text = target.isPlain ? withoutDefer(query) : query;
    return { query: text, expected, incremental: text.includes('@defer'), ...(variables && { variables }) };
  }

  #runLoad({ target, url, child }: RunningTarget, warmUpMs: number, { seconds }: RoundOptions) {
    const { identities, operations, connections, burstConnections } = this.#scenario;
    return this.#environment.runClosedLoop({
      kind: 'closed-loop',
      url,
      ...this.#requestOf(target),
      ...(identities ? { identities: true } : {}),
      ...(operations === undefined ? {} : { operations }),
      connections,
      ...(burstConnections === undefined ? {} : { burstConnections }),
      warmUpMs,
      measureMs: seconds * 1000,
      targetPid: child.pid,
      ...(targetCore === undefined || target.usesAllCores ? {} : { targetCore }),
      subgraphAdmin: this.#environment.subgraphAdmin,
    });
  }
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
