import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { toLabelValue } from '../telemetry/registerCounter.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { slotNames } from './clusterSlots.ts';
import { scheduleReadTimeout } from './readTimeout.ts';
import { createRedisScript, RedisClient } from './redisClient.ts';
import { RedisFailure, type RedisFailureKind } from './redisFailure.ts';
import { registerRedisMetrics } from './redisMetrics.ts';
import { authArguments, describeAddress, isRedisConfigured, type RedisConfig } from './redisOptions.ts';

interface RedisMonitorOptions {
  readonly config: RedisConfig;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly timers: Timers;
  readonly metrics: Pick<Metrics, 'registry'>;
}

/** A connection that hangs is only noticed while a command is in flight. */
const writeIntervalMs = 1_000;
const keyTtlMs = 5_000;
const emptyScript = createRedisScript('return 1');

/** So many late writes, without as many in time, are an outage. It ends when the writes in time make up for them. */
const maxLateness = 3;

/** Why Redis cannot be used. `timeout`: it answers, but later than requests wait. `new connections`: only connections that
 *  are older than a change of the password can be used. */
interface Outage {
  readonly kind: RedisFailureKind | 'timeout' | 'new connections';
  readonly message: string;
  /** Whether other masters of the Cluster can be used. */
  readonly isPartial?: boolean;
}

/** Reports whether this process can use Redis, by small writes on a connection of its own: the features that use Redis have
 *  connections that come and go, and reconnect by themselves. */
class RedisMonitor {
  readonly #options: RedisMonitorOptions;
  readonly #client: RedisClient;
  readonly #address: string;
  readonly #authArguments: readonly string[];
  /** Hash tags in the slots of all masters of a Cluster. */
  readonly #tags: readonly string[];
  #evictionPolicy = 'noeviction';
  /** The newest failure of the current outage, which ends when a write succeeds. */
  #outage: Outage | undefined;
  /** From 0 to `maxLateness`. */
  #lateness = 0;
  #cancelWrite: CancelTimer = () => {};
  #isClosed = false;

  constructor(options: RedisMonitorOptions) {
    this.#options = options;
    const { config, metrics } = options;
    this.#address = describeAddress(config);
    this.#authArguments = authArguments(config);
    this.#tags = slotNames(config.cluster.buckets);
    this.#client = new RedisClient({
      config,
      onReady: () => {
        void this.#write();
        void this.#checkEvictionPolicy();
      },
      onFailure: (failure) => {
        // A Cluster is connected while one of its nodes fails.
        if (!this.#client.isReady) this.#reportOutage(outageOf(failure));
      },
    });
    registerRedisMetrics(metrics.registry, () => this.#outage !== undefined);
  }

  get readinessNotes(): readonly { readonly code: string; readonly message: string }[] {
    if (this.#outage === undefined) return [];
    const [problem, effect] = describeOutage(this.#outage);
    const { message } = this.#outage;
    return [{ code: 'REDIS_UNAVAILABLE', message: `${problem}, and ${effect}: ${message}` }];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWrite();
    this.#client.close();
  }

  /** A write, because a server that is full or read only answers PING. Then a script, which needs a permission of its own:
   *  every feature with data in Redis has scripts. In a Cluster, both on each master. */
  async #write(): Promise<void> {
    this.#cancelWrite();
    const client = this.#client;
    const [masters, keys] = this.#keyOfEachMaster();
    const written = await this.#measure(
      Promise.all(keys.map((key) => client.sendCommand('set', [key, 1, 'PX', keyTtlMs]))),
    );
    const replies = await Promise.all(
      keys.map((key, index) =>
        written[index] instanceof RedisFailure ? written[index] : client.runScript(emptyScript, [key], []),
      ),
    );
    const failed = replies.findIndex((reply) => reply instanceof RedisFailure);
    const refusal = failed === -1 ? await this.#findRefusal() : undefined;
    if (this.#isClosed) return;
    const failure = replies[failed];
    if (refusal !== undefined) this.#reportOutage({ kind: 'new connections', message: refusal });
    else if (!(failure instanceof RedisFailure)) this.#reportSuccess();
    else if (this.#isOutage(failure, masters[failed])) {
      const address = describeAddress(this.#options.config, masters[failed]);
      const isPartial = replies.some((reply) => !(reply instanceof RedisFailure));
      this.#reportOutage({ ...outageOf(new RedisFailure(failure.cause, address)), isPartial });
    }
    this.#cancelWrite();
    // At the next connection, `onReady` writes again.
    if (!client.isReady) return;
    this.#cancelWrite = this.#options.timers.after(writeIntervalMs, () => this.#write());
  }

  /** A key in a slot of each master of a Cluster, or one key. The address of a single server is empty. */
  #keyOfEachMaster(): readonly [masters: readonly string[], keys: readonly string[]] {
    const { keyPrefix } = this.#options.config;
    const masters = this.#client.tagOfEachMaster(this.#tags);
    return [
      [...masters.keys()],
      [...masters].map(([master, tag]) => `${keyPrefix}${master === '' ? '' : `{${tag}}`}monitor`),
    ];
  }

  /** Whether Redis refused the command, or one master of a Cluster is lost. The client reports the loss of all connections. */
  #isOutage({ kind }: RedisFailure, master = ''): boolean {
    const isLost = kind === 'unreachable' || kind === 'cluster';
    return !isLost || (master !== '' && this.#client.isReady);
  }

  /** Why Redis would refuse the credentials in a new connection. This connection stays authenticated if its password changes. */
  async #findRefusal(): Promise<string | undefined> {
    const reply = await this.#client.sendCommand('auth', this.#authArguments);
    // Redis 5 has no users, and refuses a name.
    if (!(reply instanceof RedisFailure) || reply.kind !== 'authentication') return undefined;
    return new RedisFailure(reply.cause, this.#address).cause.message;
  }

  /** Counts whether the reply is late for a request. */
  async #measure<Reply>(reply: Promise<Reply>): Promise<Reply> {
    let isLate = false;
    const cancel = scheduleReadTimeout(this.#options, () => {
      isLate = true;
    });
    const value = await reply;
    cancel();
    this.#lateness = Math.max(0, Math.min(maxLateness, this.#lateness + (isLate ? 1 : -1)));
    return value;
  }

  /** A Redis that evicts keys loses tokens and jobs without any error. */
  async #checkEvictionPolicy(): Promise<void> {
    const reply = await this.#client.sendCommand('info', ['memory']);
    // Without permission for INFO the policy is unknown.
    const policy = /^maxmemory_policy:(\S+)/m.exec(String(reply))?.[1] ?? this.#evictionPolicy;
    const isNew = policy !== this.#evictionPolicy;
    this.#evictionPolicy = policy;
    if (!isNew || policy === 'noeviction' || this.#isClosed) return;
    this.#options.log.warn(
      { policy },
      'Redis evicts keys when it is full, such as enrichment jobs and their tokens: set its maxmemory-policy to noeviction',
    );
  }

  #reportSuccess(): void {
    const isLate = this.#outage?.kind === 'timeout' ? this.#lateness > 0 : this.#lateness === maxLateness;
    if (isLate) {
      const message = `${this.#address}: Redis did not answer in time (redis.timeouts.read)`;
      this.#reportOutage({ kind: 'timeout', message });
      return;
    }
    if (this.#outage !== undefined) this.#options.log.info('Redis can be used again');
    this.#outage = undefined;
  }

  #reportOutage(outage: Outage): void {
    const isNew = this.#outage === undefined;
    this.#outage = outage;
    if (!isNew) return;
    const { kind, message } = outage;
    this.#options.log.warn({ problem: toLabelValue(kind), message }, describeOutage(outage).join(': '));
  }
}

function outageOf({ kind, cause }: RedisFailure): Outage {
  return { kind, message: cause.message };
}

/** What is wrong, and what that means. */
function describeOutage({ kind, isPartial }: Outage): readonly [problem: string, effect: string] {
  if (kind === 'timeout') return ['Redis answers too late', 'requests do without it'];
  if (kind === 'out of memory' || kind === 'not persisting')
    return ['Redis stores nothing', 'nothing new is shared with other processes'];
  if (kind === 'new connections')
    return [
      'Redis refuses new connections',
      'each part of the gateway uses Redis only until its connection ends',
    ];
  if (isPartial === true)
    return [
      'A master of the Redis Cluster cannot be used',
      'its part of the data is not shared with other processes',
    ];
  return ['Redis cannot be used', 'nothing is shared with other processes'];
}

/** `undefined` if Redis is not configured. */
export function createRedisMonitor(options: RedisMonitorOptions): RedisMonitor | undefined {
  return isRedisConfigured(options.config) ? new RedisMonitor(options) : undefined;
}
