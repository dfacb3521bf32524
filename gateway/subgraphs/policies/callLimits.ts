/** How many requests share one HTTP/2 connection at most, unless the server allows fewer. */
export const http2StreamsPerConnection = 100;

/** What an endpoint's configuration says about its capacity. */
export interface CallCapacity {
  readonly url: string;
  /** Maximum number of connections to the origin. */
  readonly connections: number;
  /** Use HTTP/2 where the server offers it over TLS. */
  readonly http2: boolean;
  /** Equal endpoints, each with as many connections. */
  readonly urls?: readonly string[] | undefined;
  /** When omitted, the connections are the only limit and no call is dropped. */
  readonly concurrency?: ConcurrencySettings | undefined;
}

interface ConcurrencySettings {
  /** Maximum number of calls under way at a time; as many as the connections carry when omitted. */
  readonly max?: number | undefined;
  /** Maximum number of calls in the queue. */
  readonly queue: number;
}

/** How many calls of one subgraph may be under way, and how many may be queued. */
export interface CallLimits {
  /** Calls under way, primary and deferred together. */
  readonly total: number;
  /** Calls under way that a first response waits for. */
  readonly primary: number;
  /** Calls under way that have connections of their own. */
  readonly deferred: number;
  readonly queued: number;
}

export function callLimitsOf({ url, urls, connections, http2, concurrency }: CallCapacity): CallLimits {
  const carried =
    (urls?.length ?? 1) * connections * (http2 && url.startsWith('https:') ? http2StreamsPerConnection : 1);
  const total = concurrency?.max ?? 2 * carried;
  return {
    total,
    primary: Math.min(total, carried),
    // At most half, so that slow deferred calls leave capacity for first responses; at least one, so that they run at all.
    deferred: Math.min(Math.max(1, Math.floor(total / 2)), carried),
    queued: concurrency?.queue ?? Number.POSITIVE_INFINITY,
  };
}

/** The limits of an endpoint with fewer calls under way. */
export function reduceTotal(limits: CallLimits, total: number): CallLimits {
  if (total >= limits.total) return limits;
  return {
    total,
    primary: Math.min(total, limits.primary),
    deferred: Math.min(Math.max(1, Math.floor(total / 2)), limits.deferred),
    queued: limits.queued,
  };
}
