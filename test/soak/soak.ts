// Runs gateways under load while their subgraphs and their Redis fail at random. Checks that each response is correct or has
// an error that explains it, that everything recovers, and that memory, sockets, timers and listeners do not grow.
//
//   node test/soak/soak.ts [--long] [--seconds 48] [--seed 1] [--gateways memory,redis] [--rate 3] [--round 24]
//                          [--samples FILE]
//
// By default: 48 seconds of one gateway; with `--long`, two hours of both. Faults begin and end at random times, chosen by
// the seed. Their effects depend on the machine, so that a seed repeats a failure only approximately. `--samples`: a JSON
// line for each quiet moment of each gateway.

import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { SubgraphProcess } from '../../subgraphs/shared/subgraphProcess.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { startDedicatedRedis } from '../harness/redis.ts';
import { hangLimitMs } from './clients.ts';
import { FaultInjection, type FaultySubgraph } from './faults.ts';
import { findGrowth, findMore, type QuietSample } from './flatness.ts';
import { type SoakedGateway, startSoakedGateway } from './gatewayProcess.ts';
import type { ProcessState } from './inspectProcess.ts';
import { Load } from './load.ts';

const { values: given } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    gateways: { type: 'string' },
    rate: { type: 'string' },
    round: { type: 'string' },
    samples: { type: 'string' },
  },
});
const seed = given.seed === undefined ? seedOfCommit() : Number(given.seed);
const defaults = given.long
  ? { seconds: 7_200, gateways: 'memory,redis', rate: 8, round: 100 }
  : { seconds: 48, gateways: seed % 2 === 0 ? 'memory' : 'redis', rate: 3, round: 24 };
const { seconds, gateways, rate, round: roundSeconds } = { ...defaults, ...given };

/** How long tokens of enrichments are valid. Nothing else lives longer than the requests, except on connections. */
const tokenMs = 2_000;

/** A commit always gets the same seed. */
function seedOfCommit(): number {
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' });
    return Number.parseInt(commit.slice(0, 6), 16);
  } catch {
    return 1;
  }
}

/** The subgraphs of the demo, each with a field that can fail alone. */
const faultyFields = {
  accounts: 'Account.displayName',
  products: 'Product.media',
  inventory: 'Product.stock',
  reviews: 'Product.reviews',
  recommendations: 'Product.recommended',
} as const;

const supergraph = fileURLToPath(new URL('../fixtures/demo.supergraph.graphql', import.meta.url));

/** Short times, so that circuits, retries, tokens and cache entries go through all their states. */
function configure(subgraphs: readonly FaultySubgraph[], redisUrl: string): GatewayOptions {
  const shortLived = { maxAge: '1s', staleWhileRevalidate: '1s', staleIfError: '5s' } as const;
  return {
    listen: { port: 0, drainTimeout: '5s' },
    admin: { port: 0 },
    supergraph: { file: supergraph, watch: false },
    telemetry: { logLevel: 'error', accessLog: false },
    planning: { timeout: '1m' },
    // Other work may keep the machine busy.
    overload: { eventLoopDelay: 0, memory: 1 },
    contracts: { guard: 'off' },
    redis: { url: redisUrl },
    subgraphs: {
      all: {
        timeouts: { attempt: '3s', deadline: '9s' },
        connections: 2,
        breaker: { minCalls: 5, openFor: '1s' },
        hedge: { enabled: true },
        subscription: { protocol: 'graphql_ws', path: '/ws' },
      },
      ...Object.fromEntries(
        subgraphs.map(({ process: { name }, proxy }) => [
          name,
          { url: `http://127.0.0.1:${proxy.port}/graphql` },
        ]),
      ),
    },
    cache: {
      rules: { 'Product.stock': shortLived, 'Product.averageRating': shortLived, Account: shortLived },
    },
    enrichment: {
      tokens: { expireAfter: tokenMs },
      jobs: { attempts: 2, backoff: { base: '100ms', max: '500ms' }, maxDeadLetters: 10 },
    },
  };
}

interface Soaked {
  readonly name: string;
  readonly gateway: SoakedGateway;
  readonly load: Load;
  readonly samples: QuietSample[];
  slowestRecoveryMs: number;
}

const startedAt = performance.now();
const secondsSoFar = (): number => (performance.now() - startedAt) / 1_000;
const problems: string[] = [];
let activeFaults: () => readonly string[] = () => [];

function report(name: string, problem: string): void {
  const faults = activeFaults();
  const meanwhile = faults.length === 0 ? '' : ` (while ${faults.join('; ')})`;
  const text = `${name}, second ${secondsSoFar().toFixed(1)}: ${problem}${meanwhile}`;
  problems.push(text);
  console.error(text);
}

async function startSubgraph(name: keyof typeof faultyFields): Promise<FaultySubgraph> {
  const file = fileURLToPath(new URL(`../../subgraphs/${name}/server.ts`, import.meta.url));
  const subgraph = new SubgraphProcess({ name, file, host: '127.0.0.1', port: 0, faults: '' });
  await subgraph.start();
  const proxy = await startPausableProxy(Number(new URL(subgraph.url).port));
  return { process: subgraph, proxy, field: faultyFields[name] };
}

/** Waits until a gateway has released what the last requests needed, and returns what it holds then. If it still holds
 *  more than at first after a long time, that is returned. */
async function sampleQuiet({ gateway, load, samples }: Soaked): Promise<ProcessState> {
  const deadline = performance.now() + hangLimitMs;
  const [first] = samples;
  load.disconnect();
  for (;;) {
    await sleep(2 * tokenMs);
    const state = await gateway.inspect();
    const isQuiet = first === undefined || findMore(first.state, state).length === 0;
    if (isQuiet || performance.now() > deadline) return state;
  }
}

/** The number of calls that are sent or queued. */
async function countCalls({ adminUrl }: SoakedGateway): Promise<number> {
  const response = await fetch(new URL('/subgraphs', adminUrl), { headers: { connection: 'close' } });
  const { subgraphs: states } = (await response.json()) as {
    readonly subgraphs: readonly { readonly running: number; readonly queued: number }[];
  };
  return states.reduce((sum, { running, queued }) => sum + running + queued, 0);
}

/** Runs one round: faults under load, recovery, and a quiet moment. */
async function runRound(soaked: readonly Soaked[], faults: FaultInjection): Promise<void> {
  const end = AbortSignal.timeout(Number(roundSeconds) * 1_000);
  const loads = soaked.map(({ load }) => load.run(Number(rate) / soaked.length, end));
  await faults.run(end);
  const faultsEnded = performance.now();
  await Promise.all(loads);
  for (const one of soaked) {
    await one.load.waitForRecovery().catch((error: Error) => report(one.name, error.message));
    one.slowestRecoveryMs = Math.max(one.slowestRecoveryMs, performance.now() - faultsEnded);
  }
  // Idle connections close at different times; now all are closed.
  for (const { proxy } of subgraphs) await proxy.setFault({ kind: 'none' });
  for (const one of soaked) {
    const state = await sampleQuiet(one);
    const calls = await countCalls(one.gateway);
    if (calls > 0) report(one.name, `${calls} calls of subgraphs are under way without a request`);
    const sample = { second: secondsSoFar(), requests: one.load.counts.requests, state };
    one.samples.push(sample);
    if (given.samples !== undefined) {
      appendFileSync(
        given.samples,
        `${JSON.stringify({ gateway: one.name, ...sample, faults: faults.count, counts: one.load.counts, recoveryMs: one.slowestRecoveryMs })}\n`,
      );
    }
    for (const complaint of one.gateway.complaints.splice(0)) report(one.name, `it printed: ${complaint}`);
  }
}

const names = Object.keys(faultyFields) as (keyof typeof faultyFields)[];
const gatewayNames = gateways.split(',');
await using started = new AsyncDisposableStack();
const stop = async (): Promise<void> => {
  await started.disposeAsync();
  process.exit(1);
};
process.once('SIGINT', stop).once('SIGTERM', stop);
// Long: it runs beside the suites, with lower priority.
setTimeout(
  () => {
    console.error(`Soak with seed ${seed} did not end (${problems.length} problems).`);
    void stop();
  },
  (Number(seconds) + 1_800) * 1_000,
).unref();
const redis = gatewayNames.includes('redis') ? started.use(await startDedicatedRedis()) : undefined;
const subgraphs = await Promise.all(names.map(startSubgraph));
for (const { process: subgraph, proxy } of subgraphs) {
  started.use(proxy);
  started.defer(() => subgraph.stop());
}
const sentQuantities = new Set<number>();
const soaked = await Promise.all(
  gatewayNames.map(async (name, index): Promise<Soaked> => {
    const gateway = await startSoakedGateway(
      configure(subgraphs, name === 'redis' ? (redis?.url ?? '') : ''),
    );
    started.defer(() => gateway.kill());
    const load = new Load({
      url: gateway.url,
      random: createRandom(seed * 31 + index),
      sentQuantities,
      report: (problem) => report(name, problem),
    });
    await load.learn();
    return { name, gateway, load, samples: [], slowestRecoveryMs: 0 };
  }),
);
const faults = new FaultInjection({ subgraphs, redis }, createRandom(seed));
activeFaults = () => faults.active;
const end = performance.now() + Number(seconds) * 1_000;
// At least two rounds, however busy the machine is: samples are compared.
for (let round = 0; (performance.now() < end || round < 2) && problems.length < 20; round++) {
  await runRound(soaked, faults);
}
for (const { name, gateway, load, samples, slowestRecoveryMs } of soaked) {
  for (const growth of findGrowth(samples)) report(name, growth);
  await gateway.close();
  if (gateway.exit !== 'exit code 0') report(name, `it ended with ${gateway.exit}`);
  const { heap = 0, cpu = 0 } = samples.at(-1)?.state ?? {};
  console.log(
    `${name}: ${JSON.stringify(load.counts)}, ${faults.count} faults, recovered within ` +
      `${(slowestRecoveryMs / 1_000).toFixed(1)} s, heap ${(heap / 1e6).toFixed(0)} MB, ${cpu.toFixed(0)} s of CPU`,
  );
}
console.log(
  problems.length === 0
    ? `Soak with seed ${seed}: ${secondsSoFar().toFixed(0)} s, no problems.`
    : `Soak with seed ${seed} failed (${problems.length} problems).`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
