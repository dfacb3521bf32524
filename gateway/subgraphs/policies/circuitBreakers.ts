import type { GatewayError } from '../../errors.ts';
import { isRefusalCode } from '../refusalCodes.ts';
import type { RequestCoordinates, SubgraphResponse } from '../subgraphClient.ts';
import type { AttemptEnd } from './call.ts';
import {
  type CallHealth,
  CircuitBreaker,
  type CircuitBreakerSettings,
  type CircuitPermit,
  type CircuitState,
} from './circuitBreaker.ts';

export interface CircuitBreakersSettings extends CircuitBreakerSettings {
  /** One circuit for the subgraph, or one for each root field or entity type. */
  readonly scope: 'subgraph' | 'coordinate';
}

export interface Circuit {
  /** `undefined` for the whole subgraph. */
  readonly coordinate: string | undefined;
  readonly breaker: CircuitBreaker;
}

/** Permits of one attempt, one for each of its circuits. */
export type CircuitPermits = readonly CircuitPermit[];

interface CircuitBreakersOptions {
  readonly settings: CircuitBreakersSettings;
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** Called after a circuit has opened or closed. */
  onChange(circuit: Circuit): void;
}

/** The circuit breakers of one subgraph. A request with an open circuit among its coordinates is refused. */
export class CircuitBreakers {
  readonly #options: CircuitBreakersOptions;
  /** By coordinate; the empty string is the whole subgraph. The names come from supergraphs, which bound their number. */
  readonly #circuits = new Map<string, Circuit>();
  /** The circuits of each request, by its coordinates, which are the same object for equal fetches. */
  readonly #circuitsByRequest = new WeakMap<RequestCoordinates, readonly Circuit[]>();
  /** Of requests that count for the whole subgraph. */
  #whole: readonly Circuit[] | undefined;

  constructor(options: CircuitBreakersOptions) {
    this.#options = options;
  }

  /** Whether `acquire` would admit an attempt now. */
  admits(coordinates: RequestCoordinates | undefined): boolean {
    return this.#circuitsOf(coordinates).every(admitsCall);
  }

  acquire(coordinates: RequestCoordinates | undefined): CircuitPermits | undefined {
    const circuits = this.#circuitsOf(coordinates);
    if (!circuits.every(admitsCall)) return undefined;
    return circuits.map(acquirePermit);
  }

  /** `end`: `undefined` for an attempt that no caller waited for. `now`: when it ended. */
  record(
    permits: CircuitPermits,
    end: AttemptEnd | undefined,
    coordinates: RequestCoordinates | undefined,
    now: number,
  ): void {
    const health = end === undefined ? 'ignored' : healthOf(end);
    const failed =
      health === 'success' && this.#options.settings.scope === 'coordinate'
        ? failedCoordinates(end?.result, coordinates)
        : undefined;
    const circuits = this.#circuitsOf(coordinates);
    for (let n = 0; n < circuits.length; n++) {
      const { coordinate, breaker } = circuits[n] as Circuit;
      const hasFailed = coordinate !== undefined && failed?.has(coordinate);
      breaker.record(permits[n] as CircuitPermit, hasFailed ? 'failure' : health, now);
    }
  }

  /** For operators. Idle circuits of coordinates are omitted: clients may have stopped selecting a field that fails, or the
   *  supergraph may not have it any more, and then no probe would ever close its circuit. */
  get circuits(): readonly Circuit[] {
    return [...this.#circuits.values()].filter(
      ({ coordinate, breaker }) => coordinate === undefined || !breaker.isIdle,
    );
  }

  /** For operators: `open` if any circuit is open, otherwise `half-open` if any is. */
  get state(): CircuitState {
    const states = new Set(this.circuits.map(({ breaker }) => breaker.state));
    return states.has('open') ? 'open' : states.has('half-open') ? 'half-open' : 'closed';
  }

  #circuitsOf(coordinates: RequestCoordinates | undefined): readonly Circuit[] {
    if (this.#options.settings.scope === 'subgraph' || coordinates === undefined) {
      this.#whole ??= [this.#circuit('')];
      return this.#whole;
    }
    let circuits = this.#circuitsByRequest.get(coordinates);
    if (circuits === undefined) {
      const names = new Set([...coordinates.values()].flat());
      circuits = Array.from(names, (coordinate) => this.#circuit(coordinate));
      this.#circuitsByRequest.set(coordinates, circuits);
    }
    return circuits;
  }

  #circuit(key: string): Circuit {
    let circuit = this.#circuits.get(key);
    if (circuit === undefined) {
      const { settings, now, onChange } = this.#options;
      const created: Circuit = {
        coordinate: key === '' ? undefined : key,
        breaker: new CircuitBreaker(settings, now, () => onChange(created)),
      };
      circuit = created;
      this.#circuits.set(key, circuit);
    }
    return circuit;
  }
}

function admitsCall({ breaker }: Circuit): boolean {
  return breaker.admits;
}

function acquirePermit({ breaker }: Circuit): CircuitPermit {
  return breaker.acquire() as CircuitPermit;
}

/** What an attempt says about the health of the subgraph. Errors of single fields have a path, and may be due to input. */
export function healthOf({ result, status }: AttemptEnd): CallHealth {
  if (result instanceof Error) {
    switch (result.code) {
      case 'SUBGRAPH_TIMEOUT':
      case 'SUBGRAPH_UNREACHABLE':
      case 'SUBGRAPH_INVALID_RESPONSE':
        return 'failure';
      default:
        return status === undefined || status === 429 ? 'ignored' : 'success';
    }
  }
  const { failureStatus } = result;
  if (failureStatus === 429) return 'ignored';
  // With a status below 500, the request is at fault: many servers have no code for an invalid variable.
  if (failureStatus !== undefined) return failureStatus >= 500 ? 'failure' : 'success';
  const isSubgraphLevel =
    (result.data === null || result.data === undefined) &&
    (result.errors ?? []).some(
      ({ path, extensions, isRequestError }) =>
        path === undefined && isRequestError !== true && !isRefusalCode(extensions?.code),
    );
  return isSubgraphLevel ? 'failure' : 'success';
}

function failedCoordinates(
  result: SubgraphResponse | GatewayError | undefined,
  coordinates: RequestCoordinates | undefined,
): ReadonlySet<string> | undefined {
  if (result === undefined || result instanceof Error || result.errors === undefined) return undefined;
  const failed = new Set<string>();
  for (const { path, extensions } of result.errors) {
    if (isRefusalCode(extensions?.code)) continue;
    for (const coordinate of coordinates?.get(String(path?.[0])) ?? []) failed.add(coordinate);
  }
  return failed;
}
