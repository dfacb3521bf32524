import { maskSecrets } from '../../config/addressSecrets.ts';
import type { AttemptEnd } from './call.ts';
import { healthOf } from './circuitBreakers.ts';

/** Failures in a row that eject an endpoint. */
const failuresToEject = 5;
/** The first ejection lasts this long; each further one in a row lasts longer by the same time, up to the maximum. */
const ejectionMs = 5_000;
const maxEjectionMs = 60_000;
/** The weight of old latencies falls to 1/e in this time. */
const decayMs = 10_000;

interface Endpoint {
  readonly url: string;
  inFlight: number;
  /** Moving average that follows a rise at once ("peak EWMA", Finagle). Milliseconds. */
  latencyMs: number;
  updatedAt: number;
  failures: number;
  ejections: number;
  ejectedUntil: number;
}

export interface EndpointState {
  /** Without the values of query parameters, which may be secrets. */
  readonly url: string;
  readonly inFlight: number;
  readonly isEjected: boolean;
}

export type EndpointChange = 'ejected' | 'recovered';

/** Chooses among the equal endpoints of a subgraph: of two random ones, the one with the smaller product of calls in flight
 *  and latency ("The Power of Two Choices in Randomized Load Balancing", Mitzenmacher). At most half of the endpoints are
 *  ejected for a time, after repeated failures, as in Envoy's outlier detection; then they get calls again, and the next
 *  failure ejects them for longer. */
export class EndpointBalancer {
  readonly #endpoints: readonly Endpoint[];
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #onChange: ((url: string, change: EndpointChange) => void) | undefined;

  /** `now`: milliseconds on a monotonic clock. `random`: from 0 up to 1. `onChange`: called for the first ejection in a row,
   *  and for the first success after the last one. */
  constructor(
    urls: readonly string[],
    now: () => number,
    random: () => number,
    onChange?: (url: string, change: EndpointChange) => void,
  ) {
    this.#now = now;
    this.#random = random;
    this.#onChange = onChange;
    this.#endpoints = urls.map((url) => ({
      url,
      inFlight: 0,
      latencyMs: 0,
      updatedAt: now(),
      failures: 0,
      ejections: 0,
      ejectedUntil: 0,
    }));
  }

  /** The URL for an attempt; if possible, another one than `avoid`. */
  choose(avoid: string | undefined): string {
    const now = this.#now();
    const available = this.#endpoints.filter(({ ejectedUntil }) => ejectedUntil <= now);
    const others = available.filter(({ url }) => url !== avoid);
    const candidates = others.length > 0 ? others : available.length > 0 ? available : this.#endpoints;
    const first = this.#randomIndex(candidates.length);
    if (candidates.length === 1) return (candidates[first] as Endpoint).url;
    const second = (first + 1 + this.#randomIndex(candidates.length - 1)) % candidates.length;
    const [a, b] = [candidates[first] as Endpoint, candidates[second] as Endpoint];
    return costOf(a) <= costOf(b) ? a.url : b.url;
  }

  /** Whether another endpoint than `url` is not ejected and did not fail last. */
  hasHealthyOther(url: string): boolean {
    const now = this.#now();
    return this.#endpoints.some(
      (endpoint) => endpoint.url !== url && endpoint.ejectedUntil <= now && endpoint.failures === 0,
    );
  }

  onStart(url: string): void {
    this.#endpoint(url).inFlight += 1;
  }

  /** `end`: `undefined` for an attempt whose end no caller waited for. */
  onEnd(url: string, end: AttemptEnd | undefined, latencyMs: number): void {
    const endpoint = this.#endpoint(url);
    endpoint.inFlight -= 1;
    if (end === undefined) return;
    const health = healthOf(end);
    if (health === 'failure') this.#onFailure(endpoint);
    if (health !== 'success') return;
    const now = this.#now();
    endpoint.failures = 0;
    if (endpoint.ejections > 0 && endpoint.ejectedUntil <= now) {
      endpoint.ejections = 0;
      this.#onChange?.(url, 'recovered');
    }
    const weight = Math.exp((endpoint.updatedAt - now) / decayMs);
    endpoint.latencyMs =
      latencyMs > endpoint.latencyMs ? latencyMs : endpoint.latencyMs * weight + latencyMs * (1 - weight);
    endpoint.updatedAt = now;
  }

  get states(): readonly EndpointState[] {
    const now = this.#now();
    return this.#endpoints.map(({ url, inFlight, ejectedUntil }) => ({
      url: maskSecrets(url),
      inFlight,
      isEjected: ejectedUntil > now,
    }));
  }

  #onFailure(endpoint: Endpoint): void {
    const now = this.#now();
    endpoint.failures += 1;
    // An endpoint that fails again right after an ejection needs no further proof.
    if (endpoint.failures < failuresToEject && endpoint.ejections === 0) return;
    const ejected = this.#endpoints.filter(({ ejectedUntil }) => ejectedUntil > now).length;
    if (endpoint.ejectedUntil > now || ejected + 1 > this.#endpoints.length / 2) return;
    endpoint.ejections += 1;
    endpoint.ejectedUntil = now + Math.min(ejectionMs * endpoint.ejections, maxEjectionMs);
    endpoint.failures = 0;
    if (endpoint.ejections === 1) this.#onChange?.(endpoint.url, 'ejected');
  }

  #endpoint(url: string): Endpoint {
    return this.#endpoints.find((endpoint) => endpoint.url === url) as Endpoint;
  }

  #randomIndex(length: number): number {
    return Math.floor(this.#random() * length);
  }
}

/** An endpoint without a latency yet is preferred for one call. Until that call has ended, the endpoint may hang: others are
 *  preferred. */
function costOf({ inFlight, latencyMs }: Endpoint): number {
  if (latencyMs === 0 && inFlight > 0) return Number.MAX_VALUE;
  return (inFlight + 1) * latencyMs;
}
