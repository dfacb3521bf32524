import { abortReasonOf, GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { ExecutionObserver } from '../execution/executionObserver.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { type Flight, type Leader, SingleFlight } from '../sharing/singleFlight.ts';
import { type TextKey, TextMap } from '../sharing/textMap.ts';
import { RequestAbort, type RequestSignal } from '../time/requestAbort.ts';
import type { IncrementalOutcome, SingleOutcome } from './executionOutcome.ts';
import { SharedPayloads } from './sharedPayloads.ts';

type Outcome = SingleOutcome | IncrementalOutcome;

/** An execution that has begun, and its response. */
export interface StartedResponse {
  readonly execution: Execution;
  readonly outcome: Promise<Outcome>;
}

/** A request that may share its response. */
interface ShareableRequest {
  /** See `responseKeyOf`. */
  readonly key: TextKey;
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  /** Milliseconds on `performance.now()`'s clock. */
  readonly deadline: number;
  /** Executes the operation for all requests that share the response. `signal`: aborted when none of them waits any more. */
  start(signal: RequestSignal): StartedResponse;
  /** Returns what observes the response of a request that joins another one. */
  observe(): ExecutionObserver | undefined;
}

/** Equal queries that are under way at the same time share one execution, its shaping and its serialization. Each request
 *  keeps its own deadline, and leaves the response to the others when its client disconnects. A request joins only as long
 *  as no fetch has ended: so it gets no older data than by sharing the fetches alone. */
export class SharedResponses {
  readonly #flights = new WeakMap<PreparedOperation, SingleFlight<Waiter, TextKey>>();
  #joinCount = 0;

  /** How many requests got the response of another one. */
  get joinCount(): number {
    return this.#joinCount;
  }

  /** @throws {GatewayError} like `OperationResponse.respond`. */
  async respond(shareable: ShareableRequest): Promise<Outcome> {
    const { key, request } = shareable;
    const flights = this.#flightsOf(shareable.operation);
    let isRetried = false;
    for (let flight = flights.find(key); flight !== undefined; flight = flights.find(key)) {
      this.#joinCount += 1;
      const waiter = new Waiter(shareable, flight, isRetried);
      waiter.observer = shareable.observe();
      request.record?.startFetch(performance.now());
      flight.join(waiter);
      const outcome = await waiter.outcome.finally(() => request.record?.endFetch(performance.now()));
      if (outcome !== undefined) return outcome;
      isRetried = true;
    }
    return new SharedResponse(flights, shareable).outcome;
  }

  #flightsOf(operation: PreparedOperation): SingleFlight<Waiter, TextKey> {
    let flights = this.#flights.get(operation);
    if (flights === undefined) {
      flights = new SingleFlight(new TextMap());
      this.#flights.set(operation, flights);
    }
    return flights;
  }
}

const noGroups: ReadonlySet<number> = new Set();

/** One request that waits for a shared response. */
class Waiter {
  readonly deadline: number;
  /** Whether the request has waited for another response before. */
  readonly isRetried: boolean;
  /** `undefined` if the request has to try again. */
  readonly outcome: Promise<Outcome | undefined>;
  observer: ExecutionObserver | undefined;
  readonly #signal: RequestSignal;
  readonly #settled = Promise.withResolvers<Outcome | undefined>();
  readonly #flight: Flight<Waiter, TextKey>;

  constructor({ request, deadline }: ShareableRequest, flight: Flight<Waiter, TextKey>, isRetried = false) {
    this.#signal = request.signal;
    this.deadline = deadline;
    this.isRetried = isRetried;
    this.#flight = flight;
    this.outcome = this.#settled.promise;
    this.#signal.addEventListener('abort', this.#leave, { once: true });
  }

  get signal(): RequestSignal {
    return this.#signal;
  }

  /** The response, or its first payload, is there. */
  resolve(outcome: Outcome): void {
    this.#signal.removeEventListener('abort', this.#leave);
    this.observer?.onResponseReady?.(noGroups);
    if (outcome.kind === 'incremental') this.observer?.onFirstPayload?.();
    this.#settled.resolve(outcome);
  }

  /** Makes the request look for another response. */
  retry(): void {
    this.#signal.removeEventListener('abort', this.#leave);
    this.#settled.resolve(undefined);
  }

  reject(error: unknown): void {
    this.#signal.removeEventListener('abort', this.#leave);
    this.#settled.reject(error);
  }

  readonly #leave = (): void => {
    this.#flight.leave(this);
    this.reject(abortReasonOf(this.#signal));
  };
}

/** The response of the first of several equal requests. */
class SharedResponse implements Leader<Waiter> {
  readonly outcome: Promise<Outcome>;
  /** Aborted when no request waits any more. */
  readonly #abandoned = new RequestAbort();
  readonly #flight: Flight<Waiter, TextKey>;
  readonly #started: StartedResponse;
  readonly #deadline: number;

  constructor(flights: SingleFlight<Waiter, TextKey>, shareable: ShareableRequest) {
    this.#deadline = shareable.deadline;
    this.#flight = flights.tryLead(shareable.key, this) ?? flights.leadAlone(this);
    const waiter = new Waiter(shareable, this.#flight);
    this.#flight.add(waiter);
    // Only a waiter that joins is ever asked to try again.
    this.outcome = waiter.outcome as Promise<Outcome>;
    this.#started = shareable.start(this.#abandoned);
    this.#started.outcome.then(
      (result) => this.#deliver(result),
      (error: unknown) => this.#fail(error),
    );
  }

  get isOpen(): boolean {
    return !this.#started.execution.hasEndedSteps && !this.#abandoned.aborted;
  }

  onJoin(): void {}

  onLeave(waiter: Waiter): void {
    const { signal } = waiter;
    this.#endObservation(waiter);
    if (this.#flight.joiners.length === 0) this.#abandoned.abort(signal.reason as Error);
  }

  /** The execution could not start, perhaps because it waited too long. Later requests try again. They share the next
   *  execution, however many they are: the first one starts it before another one looks for it. */
  #fail(error: unknown): void {
    const code = error instanceof GatewayError ? error.code : undefined;
    for (const waiter of this.#flight.settle()) {
      // Once at most: a request waits no longer than twice overload.executionQueueTime.
      const mayRetry = code === 'DEADLINE_EXCEEDED' || (code === 'OVERLOADED' && !waiter.isRetried);
      if (mayRetry && waiter.deadline > this.#deadline) waiter.retry();
      else {
        this.#endObservation(waiter);
        waiter.reject(error);
      }
    }
  }

  /** The waiter gets no response. */
  #endObservation({ observer }: Waiter): void {
    if (this.#started.execution.isStarted) observer?.onResponseEnd?.({ isComplete: false, hasErrors: false });
  }

  #deliver(outcome: Outcome): void {
    const waiters = this.#flight.settle();
    if (outcome.kind === 'incremental') this.#deliverPayloads(waiters, outcome);
    else this.#deliverSingle(waiters, outcome);
  }

  #deliverSingle([first, ...others]: readonly Waiter[], outcome: SingleOutcome): void {
    if (first === undefined) return;
    const isDeadlineExceeded =
      outcome.errors?.some(({ extensions }) => extensions?.code === 'DEADLINE_EXCEEDED') === true;
    const copies = others.map((waiter) => [waiter, { ...outcome, data: outcome.data?.copy() }] as const);
    this.#resolve(first, outcome, isDeadlineExceeded);
    for (const [waiter, copy] of copies) this.#resolve(waiter, copy, isDeadlineExceeded);
  }

  /** `isDeadlineExceeded`: whether the deadline of the first request has passed. Others may have later ones. */
  #resolve(waiter: Waiter, outcome: SingleOutcome, isDeadlineExceeded: boolean): void {
    const { observer } = waiter;
    if (isDeadlineExceeded && waiter.deadline > this.#deadline) {
      waiter.retry();
      return;
    }
    const { failedSteps } = this.#started.execution;
    waiter.resolve(outcome);
    observer?.onResponseEnd?.({ isComplete: true, hasErrors: outcome.errors !== undefined, failedSteps });
  }

  #deliverPayloads(waiters: readonly Waiter[], outcome: IncrementalOutcome): void {
    const [first] = waiters;
    if (first !== undefined && first.observer === undefined && waiters.length === 1) {
      first.signal.addEventListener('abort', () => this.#abandoned.abort(first.signal.reason as Error), {
        once: true,
      });
      first.resolve(outcome);
      return;
    }
    const shared = new SharedPayloads(outcome);
    for (const waiter of waiters) {
      const onEnd = (isComplete: boolean): void =>
        waiter.observer?.onResponseEnd?.({ isComplete, hasErrors: outcome.hasErrors() });
      waiter.resolve(shared.addReader(waiter.signal, onEnd));
    }
  }
}
