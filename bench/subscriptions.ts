/** Measures the cost of many equal subscriptions for one gateway process. See README.md. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startDedicatedRedis } from '../test/harness/redis.ts';
import { type Child, redisOptions, startChild, targetCore } from './childProcess.ts';
import { choicesFrom } from './choicesFrom.ts';
import { installPeers } from './installPeers.ts';
import { percentile } from './percentile.ts';
import { busyMs, treeCpuMs } from './processTree.ts';
import type { ProfileCommand } from './subscriptions/cpuProfiles.ts';
import {
  type EventSource,
  eventSources,
  type GatewayEnvironment,
  gateways,
  type MeasuredGateway,
} from './subscriptions/gateways.ts';
import type { ClientProtocol, ListenerCommand, ListenerStatus } from './subscriptions/listenersProcess.ts';
import type { MemoryReport } from './subscriptions/memoryReports.ts';
import {
  eventDrivenSubgraphSdl,
  type ShopSubgraph,
  subgraphSdl,
  subscription,
} from './subscriptions/shop.ts';
import type { PublishJob, PublishReply, ShopUrls } from './subscriptions/shopProcess.ts';
import { createTemporaryDirectory } from './temporaryDirectory.ts';
import { writeSupergraph } from './writeSupergraph.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    // Events per second. Each event goes to every client.
    rate: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '10' },
    gateways: { type: 'string', default: 'tributary' },
    clients: { type: 'string', default: 'sse,ws' },
    source: { type: 'string', default: 'graphql_ws,redis' },
    // The directory for a CPU profile of each row's gateway while it sends events. Profiling costs time too.
    'cpu-prof': { type: 'string' },
  },
});

interface Row {
  readonly gateway: MeasuredGateway;
  readonly protocol: ClientProtocol;
  readonly source: EventSource;
  readonly clients: number;
}

interface Result {
  readonly bytesPerSubscription: number;
  readonly heapBytesPerSubscription: number;
  readonly cpuMicrosecondsPerDelivery: number;
  readonly deliveriesPerSecond: number;
  /** The share of one core that the gateway used. Near 100, the gateway is at its limit. */
  readonly gatewayLoadPercent: number;
  readonly lastClientMs: readonly number[];
  readonly lost: number;
  readonly wrong: number;
  readonly ended: number;
  readonly foreignLoadPercent: number;
  readonly problem: string | undefined;
}

/** Clients that connect and disconnect before the first memory reading, so that code and data are loaded. */
const warmUpClients = 200;

/** How long deliveries may make no progress before the missing ones count as lost. A gateway that completes an event
 *  for each client delivers nothing for seconds, and then everything. */
const deliveryTimeoutMs = 15_000;

/** The same limit for the event that only shows that every client is subscribed. */
const warmUpTimeoutMs = 5000;

/** File descriptors of a process besides its connections. */
const spareDescriptors = 500;

const count = numberFrom('count');
const rate = numberFrom('rate');
const seconds = numberFrom('seconds');
const descriptors = descriptorLimit();
const rows = choicesFrom('source', values.source, eventSources).flatMap((source) =>
  choicesFrom('gateways', values.gateways, ['tributary', 'floor', 'hive-gateway']).flatMap((name) =>
    choicesFrom('clients', values.clients, ['sse', 'ws']).map((protocol): Row => {
      const gateway = gateways[name];
      const most = Math.floor((descriptors - spareDescriptors) / gateway.connectionsPerClient(source));
      return { gateway, protocol, source, clients: Math.min(count, most) };
    }),
  ),
);
if (rows.some(({ gateway }) => gateway === gateways['hive-gateway'])) installPeers();
if (rows.some(({ clients }) => clients < count)) {
  console.error(
    `A process may have ${descriptors} file descriptors, which is too few for ${count} clients in every row. ` +
      'The table shows how many clients each row has. Raise the hard limit ("ulimit -Hn") for more.',
  );
}

const fileOf = (path: string): string => fileURLToPath(new URL(`subscriptions/${path}`, import.meta.url));
const directory = createTemporaryDirectory('subscriptions');

await using redis = await startDedicatedRedis(redisOptions);
const shop = startChild('The subgraphs', { core: 'load', args: [fileOf('shopProcess.ts')], ipc: true });
const urls = await received<ShopUrls>(shop);
const environment: GatewayEnvironment = {
  subgraphs: urls,
  redisUrl: redis.url,
  supergraphFile: await writeShopSupergraph('supergraph.graphql', subgraphSdl),
  eventDrivenSupergraphFile: await writeShopSupergraph('eventDriven.graphql', eventDrivenSubgraphSdl),
  directory,
};
let nextEvent = 1;

console.log(
  '| gateway | clients | events from | RSS KiB/subscription | heap KiB/subscription | CPU µs/delivery | deliveries/s | gateway load % | last client after p50 / p99 ms | events lost | wrong payloads | ended | foreign load % |',
);
console.log(`|${' --- |'.repeat(13)}`);
let hasFailed = false;
for (const row of rows) {
  const outcome = await measure(row).catch((error: Error) => error);
  console.log(`| ${[...titlesOf(row), ...cellsOf(outcome)].join(' | ')} |`);
  if (outcome instanceof Error) console.error(outcome);
  else if (outcome.problem !== undefined) console.error(outcome.problem);
  hasFailed ||= outcome instanceof Error || outcome.lost + outcome.wrong + outcome.ended > 0;
}
await shop.stop();
process.exitCode = hasFailed ? 1 : 0;

function titlesOf({ gateway, protocol, source, clients }: Row): readonly string[] {
  return [gateway.name, `${clients} ${protocol}`, gateway.sourceTitles[source]];
}

function cellsOf(outcome: Result | Error): readonly (string | number)[] {
  // A row that could not be measured shows the reason instead of the figures.
  if (outcome instanceof Error) {
    const [reason = ''] = outcome.message.split('\n');
    return [`failed: ${reason}`, ...Array.from({ length: 9 }, () => '')];
  }
  const kib = (bytes: number): string => (bytes / 1024).toFixed(1);
  const after = outcome.lastClientMs.toSorted((a, b) => a - b);
  return [
    kib(outcome.bytesPerSubscription),
    kib(outcome.heapBytesPerSubscription),
    outcome.cpuMicrosecondsPerDelivery.toFixed(2),
    outcome.deliveriesPerSecond.toFixed(0),
    outcome.gatewayLoadPercent.toFixed(0),
    `${percentile(after, 50).toFixed(0)} / ${percentile(after, 99).toFixed(0)}`,
    outcome.lost,
    outcome.wrong,
    outcome.ended,
    outcome.foreignLoadPercent.toFixed(0),
  ];
}

async function measure(row: Row): Promise<Result> {
  const { gateway: measured, protocol, source, clients } = row;
  const gateway = measured.start(source, environment);
  const load = startChild('The clients', { core: 'load', args: [fileOf('listenersProcess.ts')], ipc: true });
  const order = (what: ListenerCommand): Promise<ListenerStatus> =>
    request(load, what, [gateway.ended, shop.ended]);
  const publish = (events: number, perSecond: number): Promise<PublishReply> => {
    const to = measured.eventDestination(source, environment.redisUrl);
    const job: PublishJob = { first: nextEvent, count: events, perSecond, to };
    nextEvent += events;
    return request(shop, job, [gateway.ended, load.ended]);
  };
  try {
    const { url } = await received<{ url: string }>(gateway);
    const open = async (opened: number) => {
      const openedFrom = performance.now();
      await order({ kind: 'open', url, query: subscription, protocol, count: opened });
      const openedMs = performance.now() - openedFrom;
      console.error(
        `${measured.name}, ${protocol}, ${source}: ${opened} connected in ${openedMs.toFixed(0)} ms`,
      );
      await warmUpClientsWithEvents(opened, { command: order, publish });
    };
    await open(Math.min(warmUpClients, clients));
    await order({ kind: 'close' });
    await elapse(1000);
    const before = await request<MemoryReport>(gateway, 'memory');
    await open(clients);
    const after = await request<MemoryReport>(gateway, 'memory');

    const events = Math.max(1, Math.round(rate * seconds));
    await order({ kind: 'count', first: nextEvent, events });
    await profile(gateway, 'start', row);
    const cpuBefore = treeCpuMs(gateway.pid);
    const busyBefore = busyMs(targetCore);
    const startedAt = performance.now();
    const { publishedAt } = await publish(events, rate);
    const status = await waitForDeliveries(events * clients, order, deliveryTimeoutMs);
    const cpuMs = treeCpuMs(gateway.pid) - cpuBefore;
    const wholeMs = performance.now() - startedAt;
    await profile(gateway, 'stop', row);
    const { deliveries, lastAt } = status;
    const deliveredMs = Math.max(...lastAt) - (publishedAt[0] ?? 0);
    return {
      // Memory before, after a garbage collection.
      bytesPerSubscription: (after.rss - before.collectedRss) / clients,
      heapBytesPerSubscription: (after.collectedHeap - before.collectedHeap) / clients,
      cpuMicrosecondsPerDelivery: (cpuMs * 1000) / deliveries,
      deliveriesPerSecond: (deliveries * 1000) / deliveredMs,
      gatewayLoadPercent: (cpuMs / wholeMs) * 100,
      // Only events that at least one client received.
      lastClientMs: lastAt.flatMap((at, index) => (at === 0 ? [] : [at - (publishedAt[index] ?? 0)])),
      lost: events * clients - deliveries,
      wrong: status.wrong,
      ended: status.ended,
      foreignLoadPercent: Math.max(0, ((busyMs(targetCore) - busyBefore - cpuMs) / wholeMs) * 100),
      problem: status.problem,
    };
  } finally {
    await Promise.all([load.stop(), gateway.stop()]);
  }
}

async function profile(gateway: Child, command: 'start' | 'stop', row: Row): Promise<void> {
  const folder = values['cpu-prof'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${row.gateway.name}-${row.protocol}-${row.source}.cpuprofile`);
  await request(gateway, { profile: command, file } satisfies ProfileCommand);
}

interface BenchProcesses {
  readonly command: (what: ListenerCommand) => Promise<ListenerStatus>;
  readonly publish: (events: number, perSecond: number) => Promise<PublishReply>;
}

/** Publishes events until every client received the last one and no delivery is pending. The protocols do not signal
 *  when a subscription is active. */
async function warmUpClientsWithEvents(clients: number, { command, publish }: BenchProcesses): Promise<void> {
  const attempts = 12;
  await elapse(1000);
  for (let attempt = 0; attempt < attempts; attempt++) {
    await command({ kind: 'count', first: nextEvent, events: 1 });
    await publish(1, 1);
    const { deliveries, problem } = await waitForDeliveries(clients, command, warmUpTimeoutMs);
    if (problem !== undefined) throw new Error(problem);
    if (deliveries >= clients) return void (await elapse(1000));
  }
  throw new Error(`Not every client received the last of ${attempts} events within ${warmUpTimeoutMs} ms`);
}

/** Resolves after this many deliveries, or when no delivery arrived for the timeout. */
async function waitForDeliveries(
  expected: number,
  order: BenchProcesses['command'],
  longestMs: number,
): Promise<ListenerStatus> {
  let movedAt = performance.now();
  let before = -1;
  for (;;) {
    const status = await order({ kind: 'status' });
    const now = performance.now();
    if (status.deliveries !== before) movedAt = now;
    if (status.deliveries >= expected || now - movedAt > longestMs) return status;
    before = status.deliveries;
    await elapse(100);
  }
}

function writeShopSupergraph(name: string, sdls: Readonly<Record<ShopSubgraph, string>>): Promise<string> {
  const subgraphs = (Object.keys(sdls) as ShopSubgraph[]).map((subgraph) => ({
    name: subgraph,
    url: urls[subgraph],
    sdl: sdls[subgraph],
  }));
  return writeSupergraph(join(directory, name), subgraphs);
}

async function request<Reply>(
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

/** The highest number of open files and connections of one process. Node raises the soft limit to the hard limit. */
function descriptorLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

function numberFrom(option: 'count' | 'rate' | 'seconds'): number {
  const number = Number(values[option]);
  if (number > 0) return number;
  throw new Error(`--${option} must be a number above 0, not "${values[option]}".`);
}
