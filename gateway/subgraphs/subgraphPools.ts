import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { type buildConnector, Client, type Dispatcher, errors, Pool } from 'undici';
import { isLoopback } from '../config/isLoopback.ts';
import { systemTimers, type Timers } from '../time/timers.ts';
import { explainLostConnection } from '../tls/explainTlsError.ts';
import { type CallCapacity, callLimitsOf, http2StreamsPerConnection } from './policies/callLimits.ts';
import type { CallPolicySettings } from './policies/callPolicies.ts';
import type { RequestSigning } from './requestSignature.ts';
import { createConnector, openSocket } from './socketMemory.ts';

export interface SubgraphEndpoint extends CallCapacity, CallPolicySettings {
  /** The name. Subgraphs of one origin share no connections: each has limits of its own, and one that hangs must not delay
   *  the calls of another. */
  readonly subgraph: string;
  /** Absolute, `http:` or `https:`. */
  readonly url: string;
  /** How long one attempt may take, in milliseconds, including connecting and waiting for a free connection. */
  readonly attemptTimeoutMs: number;
  /** Connections older than this take no more requests, so that new ones resolve the host name again. Milliseconds; no limit
   *  when omitted. */
  readonly maxConnectionAgeMs?: number | undefined;
  /** How long an HTTP/2 connection may take to answer a ping before it is closed, and the time from an answer to the next
   *  ping. Milliseconds; a minute when omitted. */
  readonly pingIntervalMs?: number | undefined;
  /** Largest body that is accepted, before and after decompression. */
  readonly maxResponseBytes: number;
  /** Trusted authorities and the gateway's client certificate; Node's defaults when omitted. */
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key'> | undefined;
  /** Names of the response headers that are sent to clients, in lower case; omitted for none. */
  readonly respond?: readonly string[] | undefined;
  /** How the bodies of requests are signed; unsigned when omitted. */
  readonly signing?: RequestSigning | undefined;
}

/** The connection pool and the address for the calls of one endpoint. */
export interface SubgraphTarget {
  readonly pool: Pool;
  readonly origin: string;
  /** Path and query of the URL. */
  readonly path: string;
  readonly isEncrypted: boolean;
  /** Not for a loopback address: compressing costs more time than it saves. */
  readonly acceptsCompressed: boolean;
}

/** The options of `Pool.dispatch`, with a field for the connection that takes the request. */
export interface CallDispatchOptions extends Dispatcher.DispatchOptions {
  connection: PooledClient | undefined;
}

type ClientOptions = Client.Options & {
  connect: buildConnector.connector;
  maxAgeMs: number | undefined;
  pingIntervalMs: number | undefined;
  timers: Timers;
  /** Those of its endpoint; undici has options named `tls`. */
  certificates: SubgraphEndpoint['tls'];
  /** Has the socket of the client while it connects. */
  connecting: Set<Socket>;
};

/** A connection that counts its requests: undici does not say whether a connection was used before. */
class PooledClient extends Client {
  /** How many requests the current socket has carried; 0 while there is none. */
  requestsOnSocket = 0;
  readonly #origin: URL;
  #isOld = false;
  #ageTimer: NodeJS.Timeout | undefined;
  readonly #certificates: SubgraphEndpoint['tls'];
  /** An alert of TLS that has ended the current socket. undici reports `other side closed` instead. */
  #alert: Error | undefined;

  constructor(
    origin: URL,
    { maxAgeMs, pingIntervalMs, timers, certificates, connecting, ...options }: ClientOptions,
  ) {
    let connected: Socket | undefined;
    super(origin, {
      ...options,
      connect: (socketOptions, callback) => {
        const socket = openSocket(options.connect, socketOptions, (...result) => {
          connecting.delete(socket);
          connected = socket;
          callback(...result);
        });
        connecting.add(socket);
      },
    });
    this.#origin = origin;
    this.#certificates = certificates;
    this.on('connect', () => {
      this.#watchAge(maxAgeMs);
      const socket = connected as Socket;
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code?.startsWith('ERR_SSL_')) this.#alert = error;
      });
      const session = sessionOf(socket);
      // With HTTP/1.1, a pipelined second request would wait for a slow first one. Only now is the protocol known.
      this.pipelining = session === undefined ? 1 : http2StreamsPerConnection;
      if (session !== undefined) keepPinging(session, socket, timers, pingIntervalMs);
    });
    this.on('disconnect', () => {
      this.requestsOnSocket = 0;
      this.#alert = undefined;
      clearTimeout(this.#ageTimer);
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (options as CallDispatchOptions).connection = this;
    // The last request of an old connection: the next one connects again. undici ignores it over HTTP/2, and its own limit
    // (`clientTtl`) looks at the clock at every request, for every connection of the pool up to the one that is used.
    if (this.#isOld) options.reset = true;
    return super.dispatch(options, handler);
  }

  /** Why the first request of a connection got no response, from the error that undici reports. */
  explain(error: Error): Error {
    return this.#alert ?? explainLostConnection(error, this.#certificates);
  }

  /** Takes the connection out of its pool. It ends after its running requests. */
  retire(): void {
    const error = new errors.InformationalError('The connection accepts no further requests.');
    this.emit('connectionError', this.#origin, [this], error);
  }

  /** Takes an HTTP/2 connection out of its pool after a response to a part of a request. Node counts the unsent bytes for
   *  ever, and beyond 10 MB, which undici has no option for, refuses the responses to all other requests. */
  retireHttp2(): void {
    if (this.pipelining > 1) this.retire();
  }

  #watchAge(maxAgeMs: number | undefined): void {
    this.#isOld = false;
    if (maxAgeMs === undefined) return;
    this.#ageTimer = setTimeout(() => {
      this.#isOld = true;
    }, maxAgeMs).unref();
  }
}

/** The HTTP/2 session of a connection, which undici sets as a property of the socket; `undefined` with HTTP/1.1. */
function sessionOf(socket: Socket): ClientHttp2Session | undefined {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'http2Session');
  return key === undefined ? undefined : (Reflect.get(socket, key) as ClientHttp2Session | undefined);
}

/** Closes the connection when a ping has no answer in time. undici's own pings (`pingInterval`) close a healthy one whose
 *  answer has arrived while the event loop was blocked, and so fail the mutations under way. */
function keepPinging(session: ClientHttp2Session, socket: Socket, timers: Timers, intervalMs = 60_000): void {
  const ping = (): void => {
    if (session.closed || session.destroyed) return;
    let isAnswered = false;
    session.ping(() => {
      isAnswered = true;
    });
    const closeOrContinue = (): void => {
      if (isAnswered) ping();
      else socket.destroy(new errors.SocketError('The connection did not answer a ping.'));
    };
    // The ping is written at the end of this turn. An immediate runs after the answers of its turn were read.
    setImmediate(() => {
      cancel = timers.after(intervalMs, () => setImmediate(closeOrContinue));
    });
  };
  let cancel = timers.after(intervalMs, ping);
  session.once('close', () => cancel());
}

type Targets = Map<string, { readonly endpoint: SubgraphEndpoint; readonly target: SubgraphTarget }>;

/** One connection pool for each origin of a subgraph and kind of connection, and another one for its deferred calls. Pools
 *  are created when first used. Then those without connections are dropped: the addresses of subgraphs change with
 *  supergraphs, and pools of former addresses would stay in memory. */
export class SubgraphPools {
  readonly #pools = new Map<string, Pool>();
  /** Pools that have had a connection. */
  readonly #everConnected = new WeakSet<Pool>();
  /** undici leaves these open until they are connected, also when it destroys their pool. */
  readonly #connecting = new Set<Socket>();
  readonly #targets: Targets = new Map();
  readonly #deferredTargets: Targets = new Map();
  readonly #timers: Timers;

  /** `timers`: measure the intervals of pings. */
  constructor(timers: Timers = systemTimers) {
    this.#timers = timers;
  }

  /** `endpointUrl`: one of the endpoint's `urls`, where it has several. */
  targetOf(endpoint: SubgraphEndpoint, isDeferred: boolean, endpointUrl = endpoint.url): SubgraphTarget {
    const targets = isDeferred ? this.#deferredTargets : this.#targets;
    const known = targets.get(endpointUrl);
    if (known !== undefined && (known.endpoint === endpoint || hasSameTarget(known.endpoint, endpoint))) {
      return known.target;
    }
    const url = new URL(endpointUrl);
    const target: SubgraphTarget = {
      pool: this.#poolOf(url, endpoint, isDeferred),
      origin: url.origin,
      path: url.pathname + url.search,
      isEncrypted: url.protocol === 'https:',
      acceptsCompressed: !isLoopback(url.hostname),
    };
    targets.set(endpointUrl, { endpoint, target });
    return target;
  }

  /** Closes every socket. Requests under way fail with `reason`. */
  async destroy(reason: Error): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    this.#targets.clear();
    this.#deferredTargets.clear();
    const destroyed = pools.map((pool) => pool.destroy(reason));
    for (const socket of this.#connecting) socket.destroy(reason);
    await Promise.all(destroyed);
  }

  #poolOf(url: URL, endpoint: SubgraphEndpoint, isDeferred: boolean): Pool {
    const allowH2 = endpoint.http2 && url.protocol === 'https:';
    const { subgraph, attemptTimeoutMs, tls, maxConnectionAgeMs, pingIntervalMs } = endpoint;
    const limits = callLimitsOf(endpoint);
    // A connection becomes free slightly later than its call ends. Without this limit, the next call would open another
    // connection instead of waiting.
    const connections = Math.min(endpoint.connections, isDeferred ? limits.deferred : limits.primary);
    const key = JSON.stringify([subgraph, url.origin, connections, allowH2, tlsKey(tls), isDeferred]);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      this.#dropDisconnectedPools();
      const created = new Pool(urlOfOrigin(url.origin), {
        connections,
        allowH2,
        connectTimeout: attemptTimeoutMs,
        connect: url.protocol === 'https:' ? { ...tls } : createConnector(attemptTimeoutMs),
        // Each call has a timer of its own for all of its phases.
        headersTimeout: 0,
        bodyTimeout: 0,
        ...(allowH2 && maxConnectionAgeMs !== undefined ? { clientTtl: maxConnectionAgeMs } : {}),
        h2Options: { pingInterval: 0 },
        factory: (origin, options) =>
          new PooledClient(origin, {
            ...(options as ClientOptions),
            maxAgeMs: allowH2 ? undefined : maxConnectionAgeMs,
            pingIntervalMs,
            timers: this.#timers,
            certificates: tls,
            connecting: this.#connecting,
          }),
      });
      created.once('connect', () => this.#everConnected.add(created));
      pool = created;
      this.#pools.set(key, created);
    }
    return pool;
  }

  /** Does not close them: a call may still hold one. */
  #dropDisconnectedPools(): void {
    for (const [key, pool] of this.#pools) {
      const { connected, size } = pool.stats;
      if (connected > 0 || size > 0 || !this.#everConnected.has(pool)) continue;
      this.#pools.delete(key);
      for (const targets of [this.#targets, this.#deferredTargets]) {
        for (const [url, { target }] of targets) if (target.pool === pool) targets.delete(url);
      }
    }
  }
}

/** undici reads `origin` for each request, and compares it with the last one. `URL` composes a new text each time. */
function urlOfOrigin(origin: string): URL {
  return Object.defineProperty(new URL(origin), 'origin', { value: origin });
}

function hasSameTarget(a: SubgraphEndpoint, b: SubgraphEndpoint): boolean {
  return (
    a.subgraph === b.subgraph &&
    a.connections === b.connections &&
    a.concurrency?.max === b.concurrency?.max &&
    a.http2 === b.http2 &&
    a.tls === b.tls
  );
}

function tlsKey(tls: SubgraphEndpoint['tls']): unknown {
  return tls === undefined ? null : [tls.ca, tls.cert, tls.key].map(String);
}
