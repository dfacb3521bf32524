import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../subgraphs/shared/random.ts';
import type { SubgraphProcess } from '../../subgraphs/shared/subgraphProcess.ts';
import type { PausableProxy, ProxyFault } from '../harness/pausableProxy.ts';
import type { DedicatedRedisServer } from '../harness/redis.ts';

/** A subgraph in a process of its own. The gateway reaches it through the proxy. */
export interface FaultySubgraph {
  readonly process: SubgraphProcess;
  readonly proxy: PausableProxy;
  /** A field that can fail. */
  readonly field: string;
}

interface FaultTargets {
  readonly subgraphs: readonly FaultySubgraph[];
  readonly redis: DedicatedRedisServer | undefined;
}

interface Fault {
  readonly name: string;
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

type CreateSubgraphFault = (subgraph: FaultySubgraph, random: Random) => Fault;

function createProxyFault(choose: (random: Random) => ProxyFault): CreateSubgraphFault {
  return ({ process: { name }, proxy }, random) => {
    const fault = choose(random);
    return {
      name: `${name}: connections ${JSON.stringify(fault)}`,
      begin: () => proxy.setFault(fault),
      end: () => proxy.setFault({ kind: 'none' }),
    };
  };
}

/** `describe` gets a field that can fail. */
function createServerFault(describe: (field: string) => object): CreateSubgraphFault {
  return ({ process: { name, url }, field }, random) => {
    const targets = describe(field);
    const send = async (init: RequestInit): Promise<void> => {
      const response = await fetch(new URL('/faults', url), { ...init, headers: { connection: 'close' } });
      if (!response.ok) throw new Error(`${name} refused the faults: ${await response.text()}`);
    };
    return {
      name: `${name}: ${JSON.stringify(targets)}`,
      begin: () => send({ method: 'POST', body: JSON.stringify({ targets, seed: random.integer(1, 1e6) }) }),
      end: () => send({ method: 'DELETE' }),
    };
  };
}

const pauseSubgraph: CreateSubgraphFault = ({ process: { name, pid } }) => ({
  name: `${name}: SIGSTOP`,
  begin: () => void process.kill(pid as number, 'SIGSTOP'),
  end: () => void process.kill(pid as number, 'SIGCONT'),
});

const killSubgraph: CreateSubgraphFault = ({ process: subgraph }) => ({
  name: `${subgraph.name}: SIGKILL`,
  begin: () => subgraph.kill(),
  end: () => subgraph.start(),
});

const subgraphFaults: readonly CreateSubgraphFault[] = [
  createProxyFault(() => ({ kind: 'refuse' })),
  createProxyFault(() => ({ kind: 'reset' })),
  createProxyFault(() => ({ kind: 'hang' })),
  createProxyFault((random) => ({ kind: 'drip', everyMs: random.integer(1, 20) })),
  createProxyFault((random) => ({ kind: 'delay', ms: random.integer(50, 1_500) })),
  createProxyFault(() => ({ kind: 'respond', status: 429, headers: { 'retry-after': '1' } })),
  createProxyFault(() => ({ kind: 'respond', status: 503, headers: {} })),
  createServerFault(() => ({ '*': { hangRate: 0.5 } })),
  createServerFault(() => ({ '*': { errorRate: 0.6 } })),
  createServerFault(() => ({ '*': { latency: { p50: 100, p99: 1_500 } } })),
  createServerFault((field) => ({ [field]: { errorRate: 0.7 } })),
  createServerFault((field) => ({ [field]: { latency: 800, hangRate: 0.1 } })),
  pauseSubgraph,
  killSubgraph,
];

const redisFaults: readonly ((redis: DedicatedRedisServer) => Fault)[] = [
  (redis) => ({ name: 'Redis: SIGSTOP', begin: () => redis.pause(), end: () => redis.resume() }),
  (redis) => ({ name: 'Redis: SIGKILL', begin: () => redis.kill(), end: () => redis.restart() }),
];

type DrawnFault =
  | { readonly target: 'subgraph'; readonly create: CreateSubgraphFault }
  | { readonly target: 'redis'; readonly create: (redis: DedicatedRedisServer) => Fault };

/** Injects random faults at random times, several at once, but one at a time in each target. Each kind occurs once before
 *  one occurs again. */
export class FaultInjection {
  count = 0;
  readonly #active = new Set<string>();
  readonly #targets: FaultTargets;
  readonly #random: Random;
  readonly #free: FaultySubgraph[];
  #isRedisFree: boolean;
  #deck: DrawnFault[] = [];

  constructor(targets: FaultTargets, random: Random) {
    this.#targets = targets;
    this.#random = random;
    this.#free = [...targets.subgraphs];
    this.#isRedisFree = targets.redis !== undefined;
  }

  /** What the active faults do. */
  get active(): readonly string[] {
    return [...this.#active];
  }

  /** Begins and ends faults until the signal aborts. Resolves when all have ended. */
  async run(signal: AbortSignal): Promise<void> {
    const running: Promise<void>[] = [];
    while (!signal.aborted) {
      const injected = this.#inject(signal);
      // A rejection is thrown by the last line.
      injected.catch(() => {});
      running.push(injected);
      await wait(this.#random.integer(300, 3_000), signal);
    }
    await Promise.all(running);
  }

  async #inject(signal: AbortSignal): Promise<void> {
    const drawn = this.#draw();
    if (drawn.target === 'redis') {
      if (!this.#isRedisFree) return;
      this.#isRedisFree = false;
      await this.#last(drawn.create(this.#targets.redis as DedicatedRedisServer), signal);
      this.#isRedisFree = true;
      return;
    }
    const [subgraph] = this.#random.sample(this.#free, 1);
    if (subgraph === undefined) return;
    this.#free.splice(this.#free.indexOf(subgraph), 1);
    await this.#last(drawn.create(subgraph, this.#random), signal);
    this.#free.push(subgraph);
  }

  async #last(fault: Fault, signal: AbortSignal): Promise<void> {
    this.count += 1;
    this.#active.add(fault.name);
    await fault.begin();
    await wait(this.#random.integer(500, 4_000), signal);
    await fault.end();
    this.#active.delete(fault.name);
  }

  #draw(): DrawnFault {
    const drawn = this.#deck.pop();
    if (drawn !== undefined) return drawn;
    const all: DrawnFault[] = subgraphFaults.map((create) => ({ target: 'subgraph', create }));
    if (this.#targets.redis !== undefined) {
      all.push(...redisFaults.map((create) => ({ target: 'redis', create }) as const));
    }
    this.#deck = this.#random.sample(all, all.length);
    return this.#draw();
  }
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
