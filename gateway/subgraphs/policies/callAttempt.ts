import type { GatewayError } from '../../errors.ts';
import type { RequestCoordinates, SubgraphResponse } from '../subgraphClient.ts';
import type { AttemptEnd, Call, CallListener, CallResponse } from './call.ts';
import { type CallPolicies, learnFromAttempt } from './callPolicies.ts';
import type { CircuitPermits } from './circuitBreakers.ts';

interface CallAttemptOptions<C extends Call> {
  readonly call: C;
  readonly permits: CircuitPermits;
  readonly coordinates: RequestCoordinates | undefined;
  /** The kind of slot that the attempt holds. */
  readonly isDeferred: boolean;
  readonly policies: CallPolicies;
  /** Milliseconds. */
  readonly startedAt: number;
  now(): number;
}

interface AttemptListener<C extends Call> {
  onAttemptResponse(attempt: CallAttempt<C>, response: CallResponse): void;
  onAttemptFailure(attempt: CallAttempt<C>, error: GatewayError): void;
}

/** One attempt of a call: its HTTP request, the slot that it holds, and what the policies learn from its end. */
export class CallAttempt<C extends Call> implements CallListener {
  readonly #options: CallAttemptOptions<C>;
  readonly #listener: AttemptListener<C>;
  /** `settled`: the whole response has arrived, or the call has failed. Nothing is left to abort. */
  #state: 'sent' | 'settled' | 'ended' = 'sent';
  /** When the response had arrived, or the attempt ended without one; `undefined` while the attempt holds its slot. */
  #endedAt: number | undefined;
  #running = 0;
  #stopReading: (() => void) | undefined;

  constructor(options: CallAttemptOptions<C>, listener: AttemptListener<C>) {
    this.#options = options;
    this.#listener = listener;
    const { endpointUrl } = options.call;
    if (endpointUrl !== undefined) options.policies.balancer?.onStart(endpointUrl);
  }

  get call(): C {
    return this.#options.call;
  }

  get startedAt(): number {
    return this.#options.startedAt;
  }

  get isDeferred(): boolean {
    return this.#options.isDeferred;
  }

  /** Milliseconds, without the time in which the response was read; 0 until the attempt has ended. */
  get latencyMs(): number {
    return this.#endedAt === undefined ? 0 : this.#endedAt - this.startedAt;
  }

  /** When the response had arrived, or the attempt ended without one. Not before its end. */
  get endedAt(): number {
    return this.#endedAt as number;
  }

  /** How many calls were under way when the attempt ended, this one included. */
  get running(): number {
    return this.#running;
  }

  onResponse(response: CallResponse): void {
    this.#state = 'settled';
    this.#releaseSlot();
    this.#listener.onAttemptResponse(this, response);
  }

  onFailure(error: GatewayError): void {
    this.#state = 'settled';
    this.#releaseSlot();
    this.#listener.onAttemptFailure(this, error);
  }

  /** Reads the response, unless the attempt ends before that. */
  read(response: CallResponse, done: (result: SubgraphResponse | GatewayError) => void): void {
    const stopReading = response.read(done);
    if (this.#state !== 'ended') this.#stopReading = stopReading;
  }

  endWith(result: SubgraphResponse | GatewayError): AttemptEnd {
    const { status, retryAfter } = this.#options.call;
    return { result, status, retryAfter };
  }

  /** `end`: `undefined` for an attempt whose end no caller waits for. */
  finish(end: AttemptEnd | undefined): void {
    const { call, policies, permits, coordinates } = this.#options;
    const wasSent = this.#state === 'sent';
    this.#state = 'ended';
    this.#stopReading?.();
    const endedAt = this.#releaseSlot();
    if (wasSent) call.abort();
    policies.circuits?.record(permits, end, coordinates, endedAt);
    if (call.endpointUrl !== undefined) policies.balancer?.onEnd(call.endpointUrl, end, this.latencyMs);
    if (end !== undefined) learnFromAttempt(policies, end, this, endedAt);
  }

  /** Returns when the slot was released. */
  #releaseSlot(): number {
    if (this.#endedAt !== undefined) return this.#endedAt;
    const { now, policies, isDeferred } = this.#options;
    this.#endedAt = now();
    this.#running = policies.queue.running;
    policies.queue.release(isDeferred);
    return this.#endedAt;
  }
}
