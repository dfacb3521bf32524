import { setTimeout as elapse } from 'node:timers/promises';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { treeCpuMs, treePeakRssMib, treeRssMib, treeSocketCount } from '../processTree.ts';
import type { RunningTarget } from '../startTarget.ts';
import { apolloGateway } from '../targets/apolloGateway.ts';
import { hiveGatewayRouterRuntime } from '../targets/hiveGateway.ts';
import type { Target } from '../targets/target.ts';
import { configuredTributary } from '../targets/tributary.ts';
import type { ClassResult, ClientClass } from './clientsProcess.ts';
import { affectedOperation, faultySubgraph, unaffectedOperation } from './graph.ts';
import type { SubgraphFault } from './subgraphsProcess.ts';

/** What a scenario does with one target. */
export interface Bench {
  readonly running: RunningTarget;
  readonly seconds: number;
  /** The clients of the results are in the order of `classes`. `ids`: 2,000 when omitted. */
  load(classes: readonly ClientClass[], options?: LoadOptions): Promise<readonly ClassResult[]>;
  setFault(fault: SubgraphFault): Promise<void>;
  /** Calls that the faulty subgraph received since the start. */
  countCalls(): Promise<number>;
}

interface LoadOptions {
  readonly ids?: number;
  readonly timeoutMs?: number;
  readonly seconds?: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  readonly targets: readonly Target[];
  /** The cells of a target's row. */
  measure(bench: Bench): Promise<readonly (string | number)[]>;
}

type Policies = NonNullable<NonNullable<GatewayOptions['subgraphs']>['all']>;

/** Clients share no calls, as in the other benchmarks: otherwise, calls would be fewer than requests. */
const unshared = { batching: { acrossRequests: false } } as const;
const tributary = configuredTributary('tributary', () => unshared);
const tributaryWith = (name: string, all: Policies): Target =>
  configuredTributary(`tributary, ${name}`, () => ({ ...unshared, subgraphs: { all } }));
const peers = [hiveGatewayRouterRuntime, apolloGateway];

const off = { enabled: false } as const;
const unaffected = (requestsPerSecond: number): ClientClass => ({
  name: 'unaffected',
  requestsPerSecond,
  query: unaffectedOperation,
});
const affected = (requestsPerSecond: number, priority?: string): ClientClass => ({
  name: priority ?? 'affected',
  requestsPerSecond,
  query: affectedOperation,
  ...(priority === undefined ? {} : { headers: { 'tributary-priority': priority } }),
});

/** Calls per second that the overloaded subgraph can process. */
const capacity = { concurrency: 10, serviceMs: 50 } as const;
const capacityPerSecond = (capacity.concurrency * 1_000) / capacity.serviceMs;
/** As parts of three times the capacity: the critical requests alone fit. */
const priorityShares = { critical: 1 / 6, normal: 1 / 3, background: 1 / 2 } as const;

const brownOutShare = 0.6;

export const scenarios: readonly Scenario[] = [
  {
    name: 'hang',
    title: `One of five subgraphs (${faultySubgraph}) hangs; 200 requests/s, half of them need it`,
    columns: [
      'p99 ms of the others, without and with the fault',
      'good of the others %',
      'good of those that need it %',
      'RSS MiB, without and with the fault',
      'peak RSS MiB',
      'sockets, without and with the fault',
      'recovery ms',
    ],
    targets: [tributary, ...peers],
    async measure({ running: { child }, load, setFault, seconds }) {
      const classes = [unaffected(100), affected(100)];
      const before = await load(classes);
      const resources = () => [treeRssMib(child.pid), treeSocketCount(child.pid)] as const;
      const [rssBefore, socketsBefore] = resources();
      await setFault({ hangs: true });
      let atEnd = resources();
      const sampling = setInterval(() => {
        const [rss, sockets] = resources();
        atEnd = [Math.max(atEnd[0], rss), Math.max(atEnd[1], sockets)];
      }, 500);
      const during = await load(classes).finally(() => clearInterval(sampling));
      // Again, and the fault ends while requests are sent.
      const isRepaired = elapse(seconds * 1_000).then(() => setFault({}));
      const [, after] = await load(classes, { seconds: 2 * seconds });
      await isRepaired;
      return [
        `${milliseconds(before[0]?.p99Ms)} → ${milliseconds(during[0]?.p99Ms)}`,
        goodPercent(during[0]),
        goodPercent(during[1]),
        `${rssBefore.toFixed(0)} → ${atEnd[0].toFixed(0)}`,
        treePeakRssMib(child.pid).toFixed(0),
        `${socketsBefore} → ${atEnd[1]}`,
        Math.max(0, (after?.lastFailureMs ?? Number.NaN) - seconds * 1_000).toFixed(0),
      ];
    },
  },
  {
    name: 'brown-out',
    title: `${brownOutShare * 100} % of the calls of one subgraph are answered with 503; 200 requests/s need it`,
    columns: ['calls per request', 'good %', 'p99 ms'],
    targets: [tributary, tributaryWith('no breaker', { breaker: off }), ...peers],
    async measure({ load, setFault, countCalls }) {
      await setFault({ failureShare: brownOutShare });
      const before = await countCalls();
      const [result] = await load([affected(200)]);
      const calls = (await countCalls()) - before;
      return [
        (calls / (result?.sent ?? Number.NaN)).toFixed(2),
        goodPercent(result),
        milliseconds(result?.p99Ms),
      ];
    },
  },
  {
    name: 'hedging',
    title: '1 % of the calls of one subgraph take 500 ms longer than the usual 5 ms; 200 requests/s need it',
    columns: ['p50 / p99 / p99.9 ms', 'calls per request'],
    targets: [tributary, tributaryWith('hedging', { hedge: { enabled: true } }), ...peers],
    async measure({ load, setFault, countCalls }) {
      await setFault({ slowShare: 0.01, slowMs: 500, serviceMs: 5 });
      // The hedge delay is a percentile of the latencies so far.
      await load([affected(200)], { seconds: 2 });
      const before = await countCalls();
      const [result] = await load([affected(200)]);
      const calls = (await countCalls()) - before;
      return [
        [result?.p50Ms, result?.p99Ms, result?.p999Ms].map(milliseconds).join(' / '),
        (calls / (result?.sent ?? Number.NaN)).toFixed(3),
      ];
    },
  },
  {
    name: 'overload',
    title: `One subgraph can process ${capacityPerSecond} calls/s and gets requests for three times as many: 1/6 critical, 1/3 normal, 1/2 background`,
    columns: [
      'good critical requests/s, alone and under overload',
      'p99 ms of critical requests, alone and under overload',
      'good normal requests/s',
      'good background requests/s',
      'recovery ms',
    ],
    targets: [tributary, ...peers],
    async measure({ load, setFault, seconds }) {
      const rates = Object.entries(priorityShares).map(
        ([priority, share]) => [priority, 3 * capacityPerSecond * share] as const,
      );
      const classes = rates.map(([priority, rate]) => affected(Math.round(rate), priority));
      await setFault(capacity);
      const [alone] = await load(classes.slice(0, 1));
      const [critical, normal, background] = await load(classes, { timeoutMs: 2_000 });
      const [after] = await load(classes.slice(0, 1), { timeoutMs: 2_000 });
      const perSecond = (result: ClassResult | undefined): string =>
        ((result?.good ?? 0) / seconds).toFixed(0);
      return [
        `${perSecond(alone)} → ${perSecond(critical)}`,
        `${milliseconds(alone?.p99Ms)} → ${milliseconds(critical?.p99Ms)}`,
        perSecond(normal),
        perSecond(background),
        (after?.lastFailureMs ?? Number.NaN).toFixed(0),
      ];
    },
  },
  {
    name: 'stale',
    title:
      'One subgraph answers every call with 503, and its values have expired; 200 requests/s need it (`staleIfError`)',
    columns: ['good %', 'of them stale %', 'p99 ms', 'calls per request'],
    targets: [
      configuredTributary('tributary, cached', () => ({
        ...unshared,
        cache: { rules: { [`Product.${faultySubgraph}`]: { maxAge: '1s', staleIfError: '10m' } } },
      })),
      ...peers,
    ],
    async measure({ load, setFault, countCalls }) {
      const ids = 200;
      await load([affected(200)], { ids, seconds: 2 });
      await setFault({ failureShare: 1 });
      // Until the values have expired and the circuit has opened.
      await load([affected(200)], { ids, seconds: 2 });
      const before = await countCalls();
      const [result] = await load([affected(200)], { ids });
      const calls = (await countCalls()) - before;
      const { sent = 0, good = 0, stale = 0 } = result ?? {};
      return [
        goodPercent(result),
        good === 0 ? '–' : ((100 * stale) / good).toFixed(1),
        milliseconds(result?.p99Ms),
        (calls / sent).toFixed(3),
      ];
    },
  },
  {
    name: 'cost',
    title: 'No faults; 200 requests/s, half of them need each of two operations',
    columns: ['CPU ms/request', 'p50 / p99 ms'],
    targets: [
      tributary,
      tributaryWith('policies off', { retry: off, breaker: off, concurrency: { adaptive: false } }),
      tributaryWith('hedging', { hedge: { enabled: true } }),
      ...peers,
    ],
    async measure({ running: { child }, load }) {
      const before = treeCpuMs(child.pid);
      const results = await load([unaffected(100), affected(100)]);
      const cpuMs = treeCpuMs(child.pid) - before;
      const sent = results.reduce((sum, result) => sum + result.sent, 0);
      const [, needing] = results;
      return [(cpuMs / sent).toFixed(3), `${milliseconds(needing?.p50Ms)} / ${milliseconds(needing?.p99Ms)}`];
    },
  },
];

function milliseconds(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? 'none' : ms.toFixed(1);
}

function goodPercent(result: ClassResult | undefined): string {
  return result === undefined ? '–' : ((100 * result.good) / result.sent).toFixed(1);
}
