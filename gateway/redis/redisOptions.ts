import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { ConfigError } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { backoffDelayMs } from './backoffDelayMs.ts';

/** What makes a connection, without what would change the form of replies. */
type ConnectionSettings = Omit<RedisOptions, 'replyMapping'>;

export type RedisConfig = GatewayConfig['redis'];

/** Whether a Redis is configured at all. */
export function isRedisConfigured({ url, cluster, sentinel }: RedisConfig): boolean {
  return url !== '' || cluster.nodes.length > 0 || sentinel.nodes.length > 0;
}

interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with an IPv6 address in brackets. */
export function parseAddress(text: string): RedisAddress {
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 6379 : Number(port) };
}

// ioredis waits so long for the other side to close too, and after a crash for nothing at all.
const disconnectTimeoutMs = 200;

/** For one connection: it fails fast, forgets what was under way when it breaks, and comes back by itself. Errors:
 *  `ConfigError` for certificates that cannot be read. */
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
    // After a failover the address leads to another server, and after a change of passwords a new connection may
    // be let in.
    reconnectOnError: ({ message }) => /^(READONLY|NOAUTH)/.test(message),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A write that was not answered would run again later.
    autoResendUnfulfilledCommands: false,
    ...tlsOptions(config),
  };
}

/** Where a server is, or who knows: an address, or sentinels. */
export function serverOptions(config: RedisConfig): ConnectionSettings {
  const { nodes, name, username, password } = config.sentinel;
  if (nodes.length > 0) {
    const tls = tlsOptions(config).tls;
    return {
      sentinels: nodes.map(parseAddress),
      name,
      ...(username === '' ? {} : { sentinelUsername: username }),
      ...(password === '' ? {} : { sentinelPassword: password }),
      ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
      sentinelRetryStrategy: (attempt) => backoffDelayMs(attempt, config.reconnect),
      // A sentinel that hangs is left for the next one.
      sentinelCommandTimeout: config.timeouts.socket,
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

function tlsOptions({ url, tls }: RedisConfig): { readonly tls?: ConnectionOptions } {
  if (!tls.enabled && !url.startsWith('rediss:')) return {};
  const read = (key: 'ca' | 'certificate' | 'key') =>
    tls[key] === '' ? undefined : readPem(`redis.tls.${key}`, tls[key]);
  const [ca, cert, key] = [read('ca'), read('certificate'), read('key')];
  return {
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(tls.serverName === '' ? {} : { servername: tls.serverName }),
    },
  };
}

function readPem(path: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new ConfigError([
      { path, message: `${file} cannot be read (${code})`, expected: 'the path of a PEM file' },
    ]);
  }
}
