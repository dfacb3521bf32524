import { type ConnectionOptions, TLSSocket } from 'node:tls';
import { type buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { type CallCapacity, callLimitsOf, http2StreamsPerConnection } from './policies/callLimits.ts';

export interface SubgraphEndpoint extends CallCapacity {
  /** Absolute, `http:` or `https:`. */
  readonly url: string;
  /** Longest one attempt may take, connecting and waiting for a free connection included. */
  readonly attemptTimeoutMs: number;
  /** Largest body accepted, before and after decompression. */
  readonly maxResponseBytes: number;
  /** Ask for compressed answers. When omitted: unless the subgraph is on this machine's loopback. */
  readonly acceptCompressed?: boolean | undefined;
  /** Trusted authorities and the client's own certificate; Node's defaults when omitted. */
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'> | undefined;
}

/** Where the calls of one endpoint go. */
export interface SubgraphTarget {
  readonly pool: Pool;
  readonly origin: string;
  /** Path and query of the URL. */
  readonly path: string;
  readonly acceptsCompressed: boolean;
}

/** What a call hands to `Pool.dispatch`: undici's options, and room for the connection that took them. */
export interface CallDispatchOptions extends Dispatcher.DispatchOptions {
  connection: PooledClient | undefined;
}

type ClientOptions = Client.Options & { connect: buildConnector.connector };

/** A connection that tells a call whether it was used before, which undici itself keeps to itself. */
class PooledClient extends Client {
  /** Requests that the present socket has seen. */
  requestsOnSocket = 0;

  constructor(origin: URL, options: ClientOptions) {
    let isHttp2 = false;
    super(origin, {
      ...options,
      connect: (socketOptions, callback) => {
        options.connect(socketOptions, (...result) => {
          const socket = result[1];
          isHttp2 = socket instanceof TLSSocket && socket.alpnProtocol === 'h2';
          callback(...result);
        });
      },
    });
    this.on('connect', () => {
      this.requestsOnSocket = 0;
      // On HTTP/1.1 a second request in the pipeline would wait for a slow first one. Which of the two is
      // spoken is known only now.
      this.pipelining = isHttp2 ? http2StreamsPerConnection : 1;
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (options as CallDispatchOptions).connection = this;
    return super.dispatch(options, handler);
  }
}

type Targets = Map<string, { readonly endpoint: SubgraphEndpoint; readonly target: SubgraphTarget }>;

/** One pool per origin (and kind of connection to it), made when it is first needed; another one for deferred
 *  calls. Pools that have lost their connections are let go when a new one is made: addresses of subgraphs change with
 *  supergraphs, and those that are left behind would stay for ever. */
export class SubgraphPools {
  readonly #pools = new Map<string, Pool>();
  /** Those that have had a connection. */
  readonly #everConnected = new WeakSet<Pool>();
  readonly #targets: Targets = new Map();
  readonly #deferredTargets: Targets = new Map();

  targetOf(endpoint: SubgraphEndpoint, isDeferred: boolean): SubgraphTarget {
    const targets = isDeferred ? this.#deferredTargets : this.#targets;
    const known = targets.get(endpoint.url);
    if (known !== undefined && (known.endpoint === endpoint || hasSameTarget(known.endpoint, endpoint))) {
      return known.target;
    }
    const url = new URL(endpoint.url);
    const target: SubgraphTarget = {
      pool: this.#poolOf(url, endpoint, isDeferred),
      origin: url.origin,
      path: url.pathname + url.search,
      acceptsCompressed: endpoint.acceptCompressed ?? !isLoopback(url.hostname),
    };
    targets.set(endpoint.url, { endpoint, target });
    return target;
  }

  /** Every socket is closed; a request that still waits fails with `reason`. */
  async destroy(reason: Error): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    this.#targets.clear();
    this.#deferredTargets.clear();
    await Promise.all(pools.map((pool) => pool.destroy(reason)));
  }

  #poolOf(url: URL, endpoint: SubgraphEndpoint, isDeferred: boolean): Pool {
    const allowH2 = endpoint.http2 && url.protocol === 'https:';
    const { attemptTimeoutMs, tls } = endpoint;
    const limits = callLimitsOf(endpoint);
    // A connection is free again somewhat later than its call is over: the next one is to wait for it, where otherwise
    // another connection would be made.
    const connections = Math.min(endpoint.connections, isDeferred ? limits.deferred : limits.primary);
    const key = JSON.stringify([url.origin, connections, allowH2, tlsKey(tls), isDeferred]);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      this.#dropDisconnectedPools();
      const made = new Pool(url.origin, {
        connections,
        allowH2,
        connectTimeout: attemptTimeoutMs,
        ...(tls === undefined ? {} : { connect: { ...tls } }),
        // Each call has its own timer, which covers all of it.
        headersTimeout: 0,
        bodyTimeout: 0,
        factory: (origin, options) => new PooledClient(origin, options as ClientOptions),
      });
      made.once('connect', () => this.#everConnected.add(made));
      pool = made;
      this.#pools.set(key, made);
    }
    return pool;
  }

  /** Whoever has got hold of one may still use it: it is not closed. */
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

function hasSameTarget(one: SubgraphEndpoint, other: SubgraphEndpoint): boolean {
  return (
    one.connections === other.connections &&
    one.concurrency?.max === other.concurrency?.max &&
    one.http2 === other.http2 &&
    one.acceptCompressed === other.acceptCompressed &&
    one.tls === other.tls
  );
}

function tlsKey(tls: SubgraphEndpoint['tls']): unknown {
  return tls === undefined ? null : [tls.ca, tls.cert, tls.key, tls.servername].map(String);
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
