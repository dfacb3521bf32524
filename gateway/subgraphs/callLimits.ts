/** How many requests share one HTTP/2 connection at most, unless the server allows fewer. */
export const http2StreamsPerConnection = 100;

/** What an endpoint says about how much it may be asked at once. */
export interface CallCapacity {
  readonly url: string;
  /** Most connections to the origin. */
  readonly connections: number;
  /** Speak HTTP/2 where the server offers it over TLS. */
  readonly http2: boolean;
  /** When omitted: what the connections carry, and nothing is dropped. */
  readonly concurrency?: ConcurrencySettings | undefined;
}

interface ConcurrencySettings {
  /** Most calls under way at once; `undefined` for as many as the connections carry. */
  readonly max: number | undefined;
  /** Most calls that wait for their turn. */
  readonly queue: number;
}

/** How many calls of one subgraph may be under way, and how many may wait. */
export interface CallLimits {
  readonly total: number;
  /** Of those that a first answer waits for. */
  readonly primary: number;
  /** Of those that have connections of their own. */
  readonly deferred: number;
  readonly waiting: number;
}

export function callLimitsOf({ url, connections, http2, concurrency }: CallCapacity): CallLimits {
  const carried = connections * (http2 && url.startsWith('https:') ? http2StreamsPerConnection : 1);
  const total = concurrency?.max ?? 2 * carried;
  return {
    total,
    primary: Math.min(total, carried),
    // Slow deferred calls must not take all that first answers need; and of one call at a time, they get their turn.
    deferred: Math.min(Math.max(1, Math.floor(total / 2)), carried),
    waiting: concurrency?.queue ?? Number.POSITIVE_INFINITY,
  };
}
