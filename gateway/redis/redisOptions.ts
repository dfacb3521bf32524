import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Redis, RedisOptions } from 'ioredis';
import { ConfigError } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { describeReadError } from '../files/describeReadError.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { loadIoredis } from './loadIoredis.ts';

/** Connection options, except those that would change the form of replies. */
export type ConnectionSettings = Omit<RedisOptions, 'replyMapping'>;

export type RedisConfig = GatewayConfig['redis'];

export function isRedisConfigured({ url, cluster, sentinel }: RedisConfig): boolean {
  return url !== '' || cluster.nodes.length > 0 || sentinel.nodes.length > 0;
}

interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** Parses `host:port`, with an IPv6 address in brackets. */
export function parseAddress(text: string): RedisAddress {
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 6379 : Number(port) };
}

/** The configured servers, or one node of theirs, for logs and messages, without secrets: `host:port`. */
export function describeAddress({ url, cluster, sentinel, tls }: RedisConfig, node = ''): string {
  const nodes = node === '' ? [...cluster.nodes, ...sentinel.nodes] : [node];
  const servers = nodes.length > 0 ? nodes.join(', ') : hostAndPortOf(url);
  return tls.enabled || url.startsWith('rediss:') ? `${servers} with TLS` : servers;
}

function hostAndPortOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || '6379'}`;
}

// ioredis waits for the server to close the connection too, which never happens after a crash.
const disconnectTimeoutMs = 200;

/** Longer than the interval of the commands of an idle gateway. */
const quietPeriodMs = 5_000;

/** Options of a connection that fails fast, drops running commands when it breaks, and reconnects by itself.
 *  @throws {ConfigError} for TLS files that cannot be read. */
export function connectionOptions(config: RedisConfig): ConnectionSettings {
  const { timeouts, username, password } = config;
  return {
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    db: config.database,
    connectTimeout: timeouts.connect,
    socketTimeout: timeouts.socket,
    disconnectTimeout: disconnectTimeoutMs,
    retryStrategy: (attempt) => backoffDelayMs(attempt, config.reconnect),
    reconnectOnError: createReconnectRule(config.reconnect),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // Otherwise an unanswered write would run again later.
    autoResendUnfulfilledCommands: false,
    ...tlsOptions(config),
  };
}

/** The arguments of `AUTH` for the credentials of all connections. Without any, they are those of the user `default`, who is
 *  accepted with every password if none is set. */
export function authArguments(config: RedisConfig): readonly [username: string, password: string] {
  const { username = 'default', password = '' } = {
    ...connectionOptions(config),
    ...(config.cluster.nodes.length === 0 ? serverOptions(config) : {}),
  };
  return [username, password];
}

/** Creates the rule for errors after which ioredis connects again: a new connection may reach the new primary after a
 *  failover, or succeed after a change of passwords. Errors within the growing delay after a reconnection do not reconnect,
 *  because ioredis starts its own backoff anew with each connection: a replica in place of the primary would get dozens of
 *  connections per second. The delay starts anew after a time without such errors. */
function createReconnectRule(limits: RedisConfig['reconnect']): (error: Error) => boolean {
  let attempt = 0;
  let allowedAt = 0;
  return ({ message }) => {
    if (!/^(READONLY|NOAUTH)/.test(message)) return false;
    const now = performance.now();
    if (now < allowedAt) return false;
    if (now > allowedAt + quietPeriodMs + limits.maxDelay) attempt = 0;
    attempt += 1;
    allowedAt = now + backoffDelayMs(attempt, limits);
    return true;
  };
}

/** Options that locate the server: its address, or the sentinels that know it. */
export function serverOptions(config: RedisConfig): ConnectionSettings {
  const { nodes, name, username, password } = config.sentinel;
  if (nodes.length > 0) {
    const tls = tlsOptions(config).tls;
    return {
      sentinels: nodes.map(parseAddress),
      name,
      Connector: createSentinelConnectorClass(),
      ...(username === '' ? {} : { sentinelUsername: username }),
      ...(password === '' ? {} : { sentinelPassword: password }),
      ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
      sentinelRetryStrategy: (attempt) => backoffDelayMs(attempt, config.reconnect),
      // After this time, the next sentinel is tried.
      sentinelCommandTimeout: config.timeouts.socket,
      // Connects again when a sentinel announces a new master. After a planned failover, the old one takes writes for some 10 s
      // more, and then loses them.
      failoverDetector: true,
      // Of the sentinels, the one that answered last.
      sentinelMaxConnections: 1,
      sentinelReconnectStrategy: (attempt) => backoffDelayMs(attempt, config.reconnect),
    };
  }
  const url = new URL(config.url);
  const database = url.pathname.slice(1);
  return {
    ...parseAddress(url.host),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(database === '' ? {} : { db: Number(database) }),
  };
}

/** Creates a class of connectors that begin with the Sentinel that answered last. ioredis continues with the one after it. At
 *  the end of the list, it reports that no Sentinel can be reached, and waits: with one Sentinel, at each reconnection. */
function createSentinelConnectorClass() {
  const { SentinelConnector } = loadIoredis();
  return class extends SentinelConnector {
    constructor(options: unknown) {
      super(options as ConstructorParameters<typeof SentinelConnector>[0]);
      ignoreSentinelErrors(this);
    }

    override async connect(...args: Parameters<InstanceType<typeof SentinelConnector>['connect']>) {
      const stream = await super.connect(...args);
      this.sentinelIterator.reset(true);
      // When it has connected, ioredis moves the Sentinel before the current one to the front, too.
      stream.prependOnceListener('connect', () => this.sentinelIterator.next());
      return stream;
    }
  };
}

/** ioredis prints errors of the connection on which a Sentinel announces new masters, which has no listener. */
function ignoreSentinelErrors(connector: object): void {
  const { connectToSentinel } = connector as { connectToSentinel(...args: readonly unknown[]): Redis };
  const connectSilently = (...args: readonly unknown[]): Redis =>
    connectToSentinel.apply(connector, [...args]).on('error', () => {});
  Object.assign(connector, { connectToSentinel: connectSilently });
}

/** Of each configuration, as the files were when its first connection was created. A connection is also created after a loss:
 *  a file that is missing then would end the process, and one that is being replaced may not fit the others. */
const knownTlsOptions = new WeakMap<RedisConfig, ConnectionOptions>();

function tlsOptions(config: RedisConfig): { readonly tls?: ConnectionOptions } {
  if (!config.tls.enabled && !config.url.startsWith('rediss:')) return {};
  const tls = knownTlsOptions.get(config) ?? readTlsOptions(config);
  knownTlsOptions.set(config, tls);
  return { tls };
}

function readTlsOptions({ tls }: RedisConfig): ConnectionOptions {
  const read = (key: 'ca' | 'certificate' | 'key') =>
    tls[key] === '' ? undefined : readPem(`redis.tls.${key}`, tls[key]);
  const [ca, cert, key] = [read('ca'), read('certificate'), read('key')];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.serverName === '' ? {} : { servername: tls.serverName }),
  };
}

function readPem(path: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError([
      { path, message: `${file} ${describeReadError(cause)}`, expected: 'the path of a PEM file' },
    ]);
  }
}
