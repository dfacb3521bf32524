/** Measures first responses while an enrichment is slow or hangs, and checks that every pending field arrives exactly
 *  once. See README.md. */
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse, print, visit } from 'graphql';
import { demoDefinitions } from '../subgraphs/demo.ts';
import { startDedicatedRedis } from '../test/harness/redis.ts';
import { firstLineOf, redisOptions, startChild, targetCore } from './childProcess.ts';
import { choicesFrom } from './choicesFrom.ts';
import type { ClientKind, ClientsJob, ClientsReply } from './enrichments/clientsProcess.ts';
import type { ShopAddresses, SlowCalls } from './enrichments/shopProcess.ts';
import type { TallyResult } from './enrichments/tally.ts';
import { deadlineMs, tributaryTargets } from './enrichments/tributaryTargets.ts';
import { installPeers } from './installPeers.ts';
import { operationText } from './operations.ts';
import { median } from './percentile.ts';
import { busyMs, treeCpuMs } from './processTree.ts';
import { type RunningTarget, startTarget } from './startTarget.ts';
import { apolloGateway } from './targets/apolloGateway.ts';
import { hiveGateway, hiveGatewayRouterRuntime } from './targets/hiveGateway.ts';
import type { Target } from './targets/target.ts';
import { createTemporaryDirectory } from './temporaryDirectory.ts';
import { writeSupergraph } from './writeSupergraph.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    'warm-up': { type: 'string', default: '4' },
    rate: { type: 'string', default: '100' },
    slow: { type: 'string', default: '5 %,all,hanging' },
    clients: { type: 'string', default: 'json,incremental' },
    // Substrings of the names.
    targets: { type: 'string', default: 'tributary,apollo,hive' },
    // The enrichment is fast until the measurement begins, so the learned latencies are wrong.
    sudden: { type: 'boolean', default: false },
    // Clients that send the same request at the same time share subgraph calls, as by default.
    sharing: { type: 'boolean', default: false },
    // The size of a semi-space of every gateway, in MiB; by default what `tributary serve` sets.
    young: { type: 'string' },
  },
});

/** The budget of the demo's `@enrichment`. */
const budgetMs = 50;
const enriched = ['product', 'recommended'];
const productCount = 100;
/** Longer than all of Tributary's attempts at a hanging enrichment. */
const clientTimeoutMs = 2 * deadlineMs + 2_000;

const noSlowCalls: SlowCalls = { share: 0, latencyMs: 0, isHanging: false };
const slowCallModes: Readonly<Record<string, SlowCalls>> = {
  '5 %': { share: 0.05, latencyMs: 2_000, isHanging: false },
  all: { share: 1, latencyMs: 2_000, isHanging: false },
  hanging: { share: 1, latencyMs: 0, isHanging: true },
};

interface Row {
  readonly running: RunningTarget;
  readonly clients: ClientKind;
}

/** The measurement of one operation in one round. */
interface Measured extends TallyResult {
  readonly cpuMsPerRequest: number;
  readonly foreignLoadPercent: number;
}

interface Round {
  /** The operation without the enrichment. */
  readonly primary: Measured;
  readonly whole: Measured;
}

const chosen = {
  slow: choicesFrom('slow', values.slow, Object.keys(slowCallModes)),
  clients: choicesFrom<ClientKind>('clients', values.clients, ['json', 'incremental']),
};
const fileOf = (path: string): string => fileURLToPath(new URL(`enrichments/${path}`, import.meta.url));
const directory = createTemporaryDirectory('enrichments');
const wholeText = operationText('productPage');
const primaryText = withoutField(wholeText, 'recommended');

await using redis = await startDedicatedRedis(redisOptions);
const targets = [...tributaryTargets(redis.url), hiveGatewayRouterRuntime, hiveGateway, apolloGateway].filter(
  ({ name }) => values.targets.split(',').some((part) => name.includes(part)),
);
if (targets.some(({ role }) => role === 'peer')) installPeers();
const shop = startChild('The subgraphs', { core: 'load', args: [fileOf('shopProcess.ts')] });
const { admin, urls } = JSON.parse(await firstLineOf(shop)) as ShopAddresses;
const load = startChild('The clients', { core: 'load', args: [fileOf('clientsProcess.ts')], ipc: true });
const context = {
  supergraphFile: await writeSupergraph(
    join(directory, 'supergraph.graphql'),
    Object.values(demoDefinitions).map(({ name, typeDefs }) => ({
      name,
      url: urls[name] as string,
      sdl: print(typeDefs),
    })),
  ),
  subgraphUrls: urls,
  sharing: values.sharing,
  directory,
};
const expected = await expectedAnswers();

console.log(
  '| recommendations | gateway, clients | first response p50 / p99 ms | primary p50 / p99 ms | p99 minus max(primary, budget) ms | × | complete p50 / p99 ms | CPU ms/request | CPU of the primary alone | pending | delivered | failed | lost | duplicated | no response | wrong | foreign load % |',
);
console.log(`|${' --- |'.repeat(17)}`);
let isComplete = true;
for (const slow of chosen.slow) await measureAll(slow);
await Promise.all([load.stop(), shop.stop()]);
process.exitCode = isComplete ? 0 : 1;

async function measureAll(slow: string): Promise<void> {
  const rows: Row[] = [];
  const rounds = new Map<Row, Round[]>();
  const slowness = slowCallModes[slow] as SlowCalls;
  await setSlowCalls(values.sudden ? noSlowCalls : slowness);
  // Each gateway has learned latencies with this slowness only.
  for (const target of targets) rows.push(...(await startRows(target)));
  try {
    for (const row of rows) {
      for (const query of [primaryText, wholeText]) await measure(row, query, Number(values['warm-up']));
    }
    await setSlowCalls(slowness);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const row of rows) {
        const primary = await measure(row, primaryText, Number(values.seconds));
        const whole = await measure(row, wholeText, Number(values.seconds));
        rounds.set(row, [...(rounds.get(row) ?? []), { primary, whole }]);
        console.error(
          `${slow}, ${nameOf(row)}, round ${round + 1}: p99 ${milliseconds(whole.firstP99Ms)} ms`,
        );
        if (whole.problem !== undefined) console.error(whole.problem.slice(0, 1_000));
      }
    }
    for (const row of rows) report(slow, row, rounds.get(row) ?? []);
  } finally {
    await Promise.all([...new Set(rows.map(({ running }) => running))].map(({ child }) => child.stop()));
  }
}

/** The peers do not support clients that accept undeclared deferral. */
async function startRows(target: Target): Promise<readonly Row[]> {
  const kinds = chosen.clients.filter((clients) => target.role === 'subject' || clients === 'json');
  return Promise.all(
    kinds.map(async (clients) => ({
      running: await startTarget(target, context, values.young),
      clients,
    })),
  );
}

function report(slow: string, row: Row, rounds: readonly Round[]): void {
  const over = (pick: (round: Round) => number | null | undefined): number =>
    median(rounds.map((round) => pick(round) ?? Number.POSITIVE_INFINITY));
  const sum = (pick: (result: TallyResult) => number): number =>
    rounds.reduce((total, { whole }) => total + pick(whole), 0);
  const primaryP99 = over(({ primary }) => primary.firstP99Ms);
  const firstP99 = over(({ whole }) => whole.firstP99Ms);
  const bound = Math.max(primaryP99, budgetMs);
  const counted = (['pending', 'delivered', 'failed', 'lost', 'duplicated'] as const).map((key) =>
    sum((result) => result[key]),
  );
  const [, , , lost = 0, duplicated = 0] = counted;
  const wrong = sum(({ wrong: count }) => count);
  const unanswered = sum((result) => result.unanswered);
  const hasPending = rounds.some(({ whole }) => whole.pending > 0);
  const cells = [
    slow,
    nameOf(row),
    `${milliseconds(over(({ whole }) => whole.firstP50Ms))} / ${milliseconds(firstP99)}`,
    `${milliseconds(over(({ primary }) => primary.firstP50Ms))} / ${milliseconds(primaryP99)}`,
    milliseconds(firstP99 - bound),
    Number.isFinite(firstP99) ? (firstP99 / bound).toFixed(2) : '',
    hasPending
      ? `${milliseconds(over(({ whole }) => whole.completeP50Ms))} / ${milliseconds(over(({ whole }) => whole.completeP99Ms))}`
      : '',
    over(({ whole }) => whole.cpuMsPerRequest).toFixed(3),
    over(({ primary }) => primary.cpuMsPerRequest).toFixed(3),
    ...counted,
    unanswered,
    wrong,
    over(({ whole }) => whole.foreignLoadPercent).toFixed(0),
  ];
  console.log(`| ${cells.join(' | ')} |`);
  if (row.running.target.role === 'subject') isComplete &&= lost + duplicated + wrong + unanswered === 0;
}

async function measure({ running, clients }: Row, query: string, seconds: number): Promise<Measured> {
  const job: ClientsJob = {
    url: running.url,
    query,
    clients,
    enriched,
    expected: query === wholeText ? expected : expected.map(([id, data]) => [id, withoutEnriched(data)]),
    requestsPerSecond: Number(values.rate),
    measureMs: seconds * 1_000,
    timeoutMs: clientTimeoutMs,
  };
  const { pid, ended } = running.child;
  const [cpuBefore, busyBefore, startedAt] = [treeCpuMs(pid), busyMs(targetCore), performance.now()];
  load.process.send(job);
  const [reply] = (await Promise.race([once(load.process, 'message'), load.ended, ended, shop.ended])) as [
    ClientsReply,
  ];
  if (reply.kind === 'failed') throw new Error(reply.message);
  const cpuMs = treeCpuMs(pid) - cpuBefore;
  const wholeMs = performance.now() - startedAt;
  return {
    ...reply.result,
    cpuMsPerRequest: cpuMs / reply.result.requests,
    foreignLoadPercent: Math.max(0, ((busyMs(targetCore) - busyBefore - cpuMs) / wholeMs) * 100),
  };
}

/** Fetches the expected responses from a gateway without slow fields. */
async function expectedAnswers(): Promise<ClientsJob['expected']> {
  const [waiting] = tributaryTargets(redis.url);
  const { url, child } = await startTarget(waiting as Target, context);
  try {
    const ids = Array.from({ length: productCount }, (_, index) => `p${index + 1}`);
    return await Promise.all(ids.map(async (id) => [id, await wholeAnswer(url, id)] as const));
  } finally {
    await child.stop();
  }
}

async function wholeAnswer(url: string, id: string): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'tributary-budget': `${deadlineMs}ms`,
    },
    body: JSON.stringify({ query: wholeText, variables: { id } }),
  });
  const { data, ...rest } = (await response.json()) as { data?: unknown };
  if (Object.keys(rest).length > 0)
    throw new Error(`The complete response for ${id}: ${JSON.stringify(rest)}`);
  return data;
}

async function setSlowCalls(slowness: SlowCalls): Promise<void> {
  const response = await fetch(admin, { method: 'POST', body: JSON.stringify(slowness) });
  if (!response.ok) throw new Error(`The admin server of the subgraphs responded with ${response.status}.`);
}

function withoutField(text: string, name: string): string {
  return print(visit(parse(text), { Field: (field) => (field.name.value === name ? null : undefined) }));
}

function withoutEnriched(data: unknown): unknown {
  const { product } = data as { product: Readonly<Record<string, unknown>> };
  const { recommended: _, ...primary } = product;
  return { product: primary };
}

function nameOf({ running, clients }: Row): string {
  return `${running.target.name}, ${clients}`;
}

function milliseconds(ms: number | null): string {
  return ms === null || !Number.isFinite(ms) ? `none in ${clientTimeoutMs}` : ms.toFixed(1);
}
