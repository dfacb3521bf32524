/** Measures how much the cache saves, and the cost of a Redis that hangs. See README.md. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { startDedicatedRedis } from '../test/harness/redis.ts';
import { type Child, firstLineOf, redisOptions, startChild, targetCore } from './childProcess.ts';
import type { ClosedLoopJob, ClosedLoopResult } from './closedLoop.ts';
import type { LoadReply } from './load.ts';
import { operationText } from './operations.ts';
import { median } from './percentile.ts';
import { createTemporaryDirectory } from './temporaryDirectory.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    'warm-up': { type: 'string', default: '5' },
    connections: { type: 'string', default: '50' },
    // Replaces the demo's `maxAge`. Stale entries are read from Redis.
    'max-age': { type: 'string' },
    // Without a cache, clients that send the same request at the same time already share subgraph calls.
    sharing: { type: 'boolean', default: false },
  },
});

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const directory = createTemporaryDirectory('cached');
const query = operationText('productPage');
const cache = readDemoCache();

interface Row {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly isRedisHung?: boolean;
}

await using redis = await startDedicatedRedis(redisOptions);
const shared = { cache, redis: { url: redis.url } };
const rows: readonly Row[] = [
  { name: 'cache off', config: { cache: { enabled: false } } },
  { name: 'cache on, in memory', config: { cache } },
  { name: 'cache on, with Redis', config: shared },
  { name: 'cache on, Redis hangs', config: shared, isRedisHung: true },
];

const shop = startChild('The subgraphs', { core: 'load', args: [fileOf('cached/shopProcess.ts')] });
const { admin, urls } = JSON.parse(await firstLineOf(shop)) as {
  admin: string;
  urls: Readonly<Record<string, string>>;
};
const load = startChild('The load generator', { core: 'load', args: [fileOf('load.ts')], ipc: true });
const gateways = new Map<Row, { readonly child: Child; readonly url: string }>();
for (const row of rows) gateways.set(row, await startGateway(row));
const expected = await answerOf(gatewayOf(rows[0] as Row).url);

const results = new Map<Row, ClosedLoopResult[]>(rows.map((row) => [row, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const row of rows) {
    // Redis hangs after the gateway has connected.
    if (row.isRedisHung === true) redis.pause();
    const result = await measure(row, Number(round === 0 ? values['warm-up'] : 1) * 1_000);
    redis.resume();
    results.get(row)?.push(result);
    console.error(`round ${round + 1} ${row.name}: ${result.cpuMsPerRequest.toFixed(3)} CPU ms`);
    if (result.wrongAnswer !== undefined) console.error(`A wrong response: ${result.wrongAnswer}`);
  }
}

console.log(
  '| gateway | requests/s | p50 / p99 ms | CPU ms/request | subgraph requests/request | foreign load % | wrong responses |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const row of rows) {
  const over = (pick: (result: ClosedLoopResult) => number): number =>
    median((results.get(row) ?? []).map(pick));
  const cells = [
    row.name,
    over((result) => result.requestsPerSecond).toFixed(0),
    `${over((result) => result.p50Ms).toFixed(1)} / ${over((result) => result.p99Ms).toFixed(1)}`,
    over((result) => result.cpuMsPerRequest).toFixed(3),
    over((result) => result.subgraphRequestsPerRequest).toFixed(4),
    over((result) => result.foreignLoadPercent ?? Number.NaN).toFixed(0),
    over((result) => result.wrongAnswers).toFixed(0),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
await Promise.all([...[...gateways.values()].map(({ child }) => child), load, shop].map((one) => one.stop()));

/** The cache rules of the demo. */
function readDemoCache(): unknown {
  const { cache: demo } = parseYaml(readFileSync(fileOf('../tributary.yaml'), 'utf8'));
  const maxAge = values['max-age'];
  if (maxAge === undefined) return demo;
  const rules = Object.entries<object>(demo.rules).map(([target, rule]) => [target, { ...rule, maxAge }]);
  return { ...demo, rules: Object.fromEntries(rules) };
}

async function startGateway({ name, config }: Row): Promise<{ child: Child; url: string }> {
  const file = join(directory, `${name.replaceAll(/\W+/g, '-')}.yaml`);
  writeFileSync(
    file,
    // JSON is valid YAML.
    JSON.stringify({
      listen: { port: 0 },
      admin: { port: 0 },
      supergraph: { file: fileOf('../test/fixtures/demo.supergraph.graphql'), watch: false },
      subgraphs: Object.fromEntries(Object.entries(urls).map(([subgraph, url]) => [subgraph, { url }])),
      batching: { acrossRequests: values.sharing },
      // Responses of a cold gateway wait for the enrichment too, so that all are equal.
      enrichment: { shadow: true },
      ...config,
    }),
  );
  const child = startChild(name, {
    core: 'target',
    args: ['--max-semi-space-size=64', fileOf('../gateway/cli.ts'), 'serve', '--config', file],
  });
  const url = /listens on (\S+)/.exec(await firstLineOf(child))?.[1] ?? '';
  return { child, url };
}

function gatewayOf(row: Row): { readonly child: Child; readonly url: string } {
  return gateways.get(row) as { child: Child; url: string };
}

async function measure(row: Row, warmUpMs: number): Promise<ClosedLoopResult> {
  const { child, url } = gatewayOf(row);
  const job: ClosedLoopJob = {
    kind: 'closed-loop',
    url,
    query,
    expected,
    connections: Number(values.connections),
    warmUpMs,
    measureMs: Number(values.seconds) * 1_000,
    targetPid: child.pid,
    ...(targetCore === undefined ? {} : { targetCore }),
    subgraphAdmin: admin,
  };
  load.process.send(job);
  const [reply] = (await Promise.race([once(load.process, 'message'), load.ended, child.ended])) as [
    LoadReply,
  ];
  if (reply.kind !== 'closed-loop') throw new Error(`${row.name}: ${JSON.stringify(reply)}`);
  return reply.result;
}

async function answerOf(url: string): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await response.json()) as { data?: unknown; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}
