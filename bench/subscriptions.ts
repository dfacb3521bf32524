/** Measures what many equal subscriptions cost one gateway process: see README.md. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { composeSupergraph } from '../gateway/supergraph/composeSupergraph.ts';
import { type OwnRedisServer, startOwnRedis } from '../test/harness/redis.ts';
import { type Child, startChild, targetCore } from './childProcess.ts';
import { percentile } from './percentile.ts';
import { busyMs, treeCpuMs } from './processTree.ts';
import type { MemoryReport } from './subscriptions/gatewayProcess.ts';
import type { ClientProtocol, ListenerOrder, ListenerStatus } from './subscriptions/listenersProcess.ts';
import { field, type ShopSubgraph, streamKey, subgraphSdl, subscription } from './subscriptions/shop.ts';
import type { PublishJob, PublishReply, ShopUrls } from './subscriptions/shopProcess.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    // Events per second; each goes to every client.
    rate: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: 'sse,ws' },
    source: { type: 'string', default: 'graphql_ws,stream' },
  },
});

type EventSource = 'graphql_ws' | 'stream';

interface Row {
  readonly protocol: ClientProtocol;
  readonly source: EventSource;
}

interface Result {
  readonly bytesPerSubscription: number;
  readonly heapBytesPerSubscription: number;
  readonly cpuMicrosecondsPerDelivery: number;
  readonly deliveriesPerSecond: number;
  /** How much of one core the gateway took: near 100, it could not do more. */
  readonly gatewayLoadPercent: number;
  readonly lastClientMs: readonly number[];
  readonly lost: number;
  readonly wrong: number;
  readonly ended: number;
  readonly foreignLoadPercent: number;
  readonly problem: string | undefined;
}

/** Clients that come and go before memory is read first, so that code and its data are there. */
const rehearsalClients = 200;

/** Deliveries may take so long without any progress; what is missing then is lost. */
const patienceMs = 5000;

const count = numberFrom('count');
const rate = numberFrom('rate');
const seconds = numberFrom('seconds');
const rows = listFrom('source', ['graphql_ws', 'stream']).flatMap((source) =>
  listFrom('clients', ['sse', 'ws']).map((protocol): Row => ({ protocol, source })),
);
checkFileLimit();

const fileOf = (path: string): string => fileURLToPath(new URL(`subscriptions/${path}`, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'tributary-subscriptions-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

await using redis = await startOwnRedis();
const shop = startChild('The subgraphs', { core: 'load', args: [fileOf('shopProcess.ts')], ipc: true });
const urls = await received<ShopUrls>(shop);
const supergraphFile = await writeSupergraph(urls);
let nextEvent = 1;

console.log(
  '| clients, events from | RSS KiB/subscription | of that heap | CPU µs/delivery | deliveries/s | load of the gateway % | last client after p50 / p99 ms | events lost | wrong payloads | ended | foreign load % |',
);
console.log(`|${' --- |'.repeat(11)}`);
let hasFailed = false;
for (const row of rows) {
  const result = await measure(row, redis);
  const kib = (bytes: number): string => (bytes / 1024).toFixed(1);
  const after = result.lastClientMs.toSorted((a, b) => a - b);
  const cells = [
    `${row.protocol}, ${row.source}`,
    kib(result.bytesPerSubscription),
    kib(result.heapBytesPerSubscription),
    result.cpuMicrosecondsPerDelivery.toFixed(2),
    result.deliveriesPerSecond.toFixed(0),
    result.gatewayLoadPercent.toFixed(0),
    `${percentile(after, 50).toFixed(0)} / ${percentile(after, 99).toFixed(0)}`,
    result.lost,
    result.wrong,
    result.ended,
    result.foreignLoadPercent.toFixed(0),
  ];
  console.log(`| ${cells.join(' | ')} |`);
  if (result.problem !== undefined) console.error(result.problem);
  hasFailed ||= result.lost + result.wrong + result.ended > 0;
}
await shop.stop();
process.exitCode = hasFailed ? 1 : 0;

async function measure({ protocol, source }: Row, { url: redisUrl }: OwnRedisServer): Promise<Result> {
  const gateway = startGateway(source, redisUrl);
  const load = startChild('The clients', { core: 'load', args: [fileOf('listenersProcess.ts')], ipc: true });
  const order = (what: ListenerOrder): Promise<ListenerStatus> =>
    ask(load, what, [gateway.ended, shop.ended]);
  const publish = (events: number, perSecond: number): Promise<PublishReply> => {
    const job: PublishJob = {
      first: nextEvent,
      count: events,
      perSecond,
      ...(source === 'stream' ? { redisUrl } : {}),
    };
    nextEvent += events;
    return ask(shop, job, [gateway.ended, load.ended]);
  };
  try {
    const { url } = await received<{ url: string }>(gateway);
    const open = async (clients: number) => {
      const openedFrom = performance.now();
      await order({ kind: 'open', url, query: subscription, protocol, count: clients });
      const openedMs = performance.now() - openedFrom;
      console.error(`${protocol}, ${source}: ${clients} connected in ${openedMs.toFixed(0)} ms`);
      await wakeAll(clients, { order, publish });
    };
    await open(rehearsalClients);
    await order({ kind: 'close' });
    await elapse(1000);
    const before = await ask<MemoryReport>(gateway, 'memory');
    await open(count);
    const after = await ask<MemoryReport>(gateway, 'memory');

    const events = Math.round(rate * seconds);
    await order({ kind: 'count', first: nextEvent, events });
    const cpuBefore = treeCpuMs(gateway.pid);
    const busyBefore = busyNow();
    const startedAt = performance.now();
    const { publishedAt } = await publish(events, rate);
    const status = await untilDelivered(events * count, order);
    const cpuMs = treeCpuMs(gateway.pid) - cpuBefore;
    const wholeMs = performance.now() - startedAt;
    const { deliveries, lastAt } = status;
    const deliveredMs = Math.max(...lastAt) - (publishedAt[0] ?? 0);
    return {
      // Before, nothing waits to be collected.
      bytesPerSubscription: (after.rss - before.collectedRss) / count,
      heapBytesPerSubscription: (after.collectedHeap - before.collectedHeap) / count,
      cpuMicrosecondsPerDelivery: (cpuMs * 1000) / deliveries,
      deliveriesPerSecond: (deliveries * 1000) / deliveredMs,
      gatewayLoadPercent: (cpuMs / wholeMs) * 100,
      lastClientMs: lastAt.map((at, index) => at - (publishedAt[index] ?? 0)),
      lost: events * count - deliveries,
      wrong: status.wrong,
      ended: status.ended,
      foreignLoadPercent: Math.max(0, ((busyNow() - busyBefore - cpuMs) / wholeMs) * 100),
      problem: status.problem,
    };
  } finally {
    await Promise.all([load.stop(), gateway.stop()]);
  }
}

interface Parties {
  readonly order: (what: ListenerOrder) => Promise<ListenerStatus>;
  readonly publish: (events: number, perSecond: number) => Promise<PublishReply>;
}

/** Publishes an event a second until each client has had one: the protocols do not say when a subscription listens. */
async function wakeAll(clients: number, { order, publish }: Parties): Promise<void> {
  const attempts = 60;
  for (let attempt = 0; attempt < attempts; attempt++) {
    await publish(1, 1);
    await elapse(1000);
    const { awake, problem } = await order({ kind: 'status' });
    if (problem !== undefined) throw new Error(problem);
    if (awake < clients) continue;
    // The last event may still be on its way to some.
    await elapse(2000);
    return;
  }
  throw new Error(`Not every client had an event within ${attempts} s`);
}

/** Resolves when so many deliveries have come, or no more come. */
async function untilDelivered(expected: number, order: Parties['order']): Promise<ListenerStatus> {
  let movedAt = performance.now();
  let before = -1;
  for (;;) {
    const status = await order({ kind: 'status' });
    const now = performance.now();
    if (status.deliveries !== before) movedAt = now;
    if (status.deliveries >= expected || now - movedAt > patienceMs) return status;
    before = status.deliveries;
    await elapse(100);
  }
}

function startGateway(source: EventSource, redisUrl: string): Child {
  const fed =
    source === 'stream'
      ? { redis: { url: redisUrl }, subscriptions: { topics: { [field]: { stream: streamKey } } } }
      : {};
  const options = {
    listen: { port: 0 },
    admin: { port: 0 },
    supergraph: { file: supergraphFile, watch: false },
    subgraphs: { all: { subscription: { protocol: 'graphql_ws', path: '/ws' } } },
    telemetry: { logLevel: 'silent' },
    ...fed,
  };
  return startChild('The gateway', {
    core: 'target',
    args: ['--max-semi-space-size=64', '--expose-gc', fileOf('gatewayProcess.ts'), JSON.stringify(options)],
    ipc: true,
  });
}

async function writeSupergraph(subgraphUrls: ShopUrls): Promise<string> {
  const names = Object.keys(subgraphSdl) as ShopSubgraph[];
  const composed = await composeSupergraph(
    names.map((name) => ({ name, url: subgraphUrls[name], sdl: subgraphSdl[name] })),
  );
  if ('errors' in composed) throw new Error(JSON.stringify(composed.errors));
  const file = join(directory, 'supergraph.graphql');
  writeFileSync(file, composed.sdl);
  return file;
}

async function ask<Reply>(
  child: Child,
  message: object | string,
  others: readonly Promise<never>[] = [],
): Promise<Reply> {
  const reply = received<Reply>(child, others);
  child.process.send(message);
  return reply;
}

async function received<Message>(child: Child, others: readonly Promise<never>[] = []): Promise<Message> {
  const [message] = await Promise.race([once(child.process, 'message'), child.ended, ...others]);
  return message as Message;
}

function busyNow(): number {
  return targetCore === undefined ? 0 : busyMs(targetCore);
}

/** Gateway and clients have a descriptor for each connection. Node raises the soft limit to the hard one by itself. */
function checkFileLimit(): void {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  const needed = count + 500;
  if (limit === 'unlimited' || Number(limit) >= needed) return;
  throw new Error(
    `${count} connections need ${needed} file descriptors in a process, and ${limit} are allowed. ` +
      `Run it in a shell in which root did "ulimit -n ${needed}", or with --count ${Number(limit) - 500}.`,
  );
}

function numberFrom(option: 'count' | 'rate' | 'seconds'): number {
  const number = Number(values[option]);
  if (number > 0) return number;
  throw new Error(`--${option} must be a number above 0, not "${values[option]}".`);
}

function listFrom<Choice extends string>(
  option: 'clients' | 'source',
  choices: readonly Choice[],
): readonly Choice[] {
  const given = values[option].split(',');
  const unknown = given.find((one) => !choices.includes(one as Choice));
  if (unknown === undefined) return given as Choice[];
  throw new Error(`--${option} takes ${choices.join(', ')}, not "${unknown}".`);
}
