import { SlidingCount } from '../../time/slidingCount.ts';

export interface CircuitBreakerSettings {
  /** Opens at this ratio of failures to calls in the window. */
  readonly failureRatio: number;
  /** Never opens with fewer calls in the window. */
  readonly minCalls: number;
  /** Milliseconds. */
  readonly window: number;
  /** Milliseconds until a probe is sent. */
  readonly openFor: number;
}

/** `open`: no call is admitted. `half-open`: the next call is a probe, or a probe is under way. */
export type CircuitState = 'closed' | 'half-open' | 'open';

/** `ignored`: the call says nothing about the subgraph, because no caller waited for its end. */
export type CallHealth = 'success' | 'failure' | 'ignored';

/** Admits one call. Must be given back with `record`. */
export type CircuitPermit = number;

type State =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly until: number }
  /** `probeSentAt`: `undefined` when no probe is under way. */
  | { readonly kind: 'half-open'; readonly probeSentAt: number | undefined };

/** A circuit breaker that samples: it opens when too large a part of the calls in a sliding window failed. Open, it admits
 *  no call for `openFor`, and then one probe, whose outcome closes or opens it again. After another
 *  `openFor` without an outcome, the next probe is admitted: otherwise a probe that hangs would keep the circuit open after
 *  the subgraph has recovered. The success of any of these probes closes the circuit: otherwise it would stay open while a
 *  subgraph takes longer than `openFor`. */
export class CircuitBreaker {
  readonly #settings: CircuitBreakerSettings;
  readonly #now: () => number;
  readonly #onChange: () => void;
  readonly #failures: SlidingCount;
  readonly #successes: SlidingCount;
  #state: State = { kind: 'closed' };
  /** Changes with each state, so that outcomes of calls from before the change are ignored. */
  #epoch = 0;
  /** The epoch in which the circuit opened for the last time: permits of later ones are those of probes. */
  #openedEpoch = 0;
  #changedAt = 0;

  /** `now`: milliseconds on a monotonic clock. `onChange` is called after the circuit has opened or closed; a probe that
   *  fails keeps it open. */
  constructor(settings: CircuitBreakerSettings, now: () => number, onChange: () => void = () => {}) {
    this.#settings = settings;
    this.#now = now;
    this.#onChange = onChange;
    this.#failures = new SlidingCount(settings.window, now);
    this.#successes = new SlidingCount(settings.window, now);
  }

  get state(): CircuitState {
    const { kind } = this.#state;
    // Without calls there is no probe: the circuit would look open for as long as nothing calls the subgraph.
    return kind === 'open' && this.admits ? 'half-open' : kind;
  }

  /** It is not closed, and was not called for long enough that a closed circuit would have forgotten its calls. */
  get isIdle(): boolean {
    const { openFor, window } = this.#settings;
    return this.#state.kind !== 'closed' && this.#now() - this.#changedAt > openFor + window;
  }

  /** Whether `acquire` would admit a call now. */
  get admits(): boolean {
    const state = this.#state;
    if (state.kind === 'closed') return true;
    if (state.kind === 'open') return this.#now() >= state.until;
    return state.probeSentAt === undefined || this.#now() >= state.probeSentAt + this.#settings.openFor;
  }

  /** A permit for one call, or `undefined` while the circuit admits none. */
  acquire(): CircuitPermit | undefined {
    if (!this.admits) return undefined;
    if (this.#state.kind !== 'closed') this.#change({ kind: 'half-open', probeSentAt: this.#now() });
    return this.#epoch;
  }

  /** `now`: when the call ended. */
  record(permit: CircuitPermit, health: CallHealth, now: number): void {
    const state = this.#state;
    if (permit !== this.#epoch) {
      const isLateProbe = state.kind === 'half-open' && permit > this.#openedEpoch;
      if (isLateProbe && health === 'success') this.#change({ kind: 'closed' });
      return;
    }
    if (state.kind === 'half-open') {
      if (health === 'ignored') this.#change({ kind: 'half-open', probeSentAt: undefined });
      else if (health === 'success') this.#change({ kind: 'closed' });
      // From when the probe was sent: one that hung has taken a part of the time already.
      else this.#open(state.probeSentAt ?? now);
      return;
    }
    if (health === 'success') this.#successes.add(now);
    if (health !== 'failure') return;
    this.#failures.add(now);
    const failures = this.#failures.total;
    const calls = failures + this.#successes.total;
    const { minCalls, failureRatio } = this.#settings;
    if (calls >= minCalls && failures >= failureRatio * calls) this.#open(now);
  }

  #open(since: number): void {
    this.#change({ kind: 'open', until: since + this.#settings.openFor });
    this.#openedEpoch = this.#epoch;
  }

  #change(state: State): void {
    const wasClosed = this.#state.kind === 'closed';
    this.#state = state;
    this.#epoch += 1;
    this.#changedAt = this.#now();
    if (wasClosed === (state.kind === 'closed')) return;
    this.#failures.reset();
    this.#successes.reset();
    this.#onChange();
  }
}
