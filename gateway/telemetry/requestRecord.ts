import { type ErrorCode, SlowClientError } from '../errors.ts';

/** How a request ended. `ok`: data without errors. `partial`: data with errors. `error`: no data, because the gateway or
 *  a subgraph failed. `refused`: the request is at fault. `shed`: the gateway was overloaded. `limited`: the client has
 *  sent too much. `aborted`: the client left before the end. */
export type RequestOutcome = (typeof requestOutcomes)[number];

export const requestOutcomes = ['ok', 'partial', 'error', 'refused', 'shed', 'limited', 'aborted'] as const;

/** `unknown`: refused before the operation was read. */
export type OperationType = 'query' | 'mutation' | 'subscription' | 'unknown';

/** One operation of a request. */
export interface RecordedOperation {
  operationName: string | undefined;
  type: OperationType;
  /** `undefined` until it is known. */
  outcome: RequestOutcome | undefined;
  /** Of the trace that the operation belongs to; `undefined` for none. */
  traceId: string | undefined;
}

interface RequestRecordOptions {
  readonly requestId: string;
  /** Of the client; names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** `undefined` if the connection was closed before it was read. */
  readonly clientAddress: string | undefined;
  /** On the clock of `performance.now`. */
  readonly startedAt: number;
  readonly onFinish: (record: RequestRecord, endedAt: number) => void;
}

/** What metrics and the access log report about one request. The stages of the request path fill it, and its transport
 *  finishes it, however the request ends. */
export class RequestRecord implements RecordedOperation {
  readonly requestId: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly clientAddress: string | undefined;
  readonly startedAt: number;
  operationName: string | undefined;
  type: OperationType = 'unknown';
  outcome: RequestOutcome | undefined;
  /** Of the HTTP response; `undefined` for other transports, and for a client that left before. */
  status: number | undefined;
  /** Of the response's content, before compression. */
  bytes = 0;
  /** When the first data, or the error instead of it, was sent to the client. */
  firstPayloadAt: number | undefined;
  traceId: string | undefined;
  readonly #onFinish: RequestRecordOptions['onFinish'];
  #items: RecordedOperation[] | undefined;
  #isSubscribed = false;
  #payloads: { hasErrors(): boolean } | undefined;
  #isFinished = false;
  #fetches = 0;
  #fetchingSince = 0;
  #fetchingMs = 0;

  constructor({ requestId, headers, clientAddress, startedAt, onFinish }: RequestRecordOptions) {
    this.requestId = requestId;
    this.headers = headers;
    this.clientAddress = clientAddress;
    this.startedAt = startedAt;
    this.#onFinish = onFinish;
  }

  /** The operations of the request: several for a batch. */
  get operations(): readonly RecordedOperation[] {
    return this.#items ?? [this];
  }

  /** Adds an operation of a batch. */
  addItem(): RecordedOperation {
    const item: RecordedOperation = {
      operationName: undefined,
      type: 'unknown',
      outcome: undefined,
      traceId: undefined,
    };
    this.#items ??= [];
    this.#items.push(item);
    return item;
  }

  /** A subscription has begun. How it ends is not its client's fault: clients end subscriptions by leaving. */
  subscribe(): void {
    this.#isSubscribed = true;
    this.outcome = 'ok';
  }

  /** The response consists of these payloads. */
  followPayloads(payloads: { hasErrors(): boolean }): void {
    this.#payloads = payloads;
    this.outcome = 'ok';
  }

  /** Data with errors was sent. */
  addErrors(): void {
    if (this.outcome === 'ok') this.outcome = 'partial';
  }

  /** The request ends with this error. After the first data it is a part of the response that fails. */
  fail(error: unknown): void {
    if (this.#isSubscribed) this.#failSubscription(error);
    else {
      const outcome = outcomeOfError(error);
      this.outcome = outcome === 'error' && this.firstPayloadAt !== undefined ? 'partial' : outcome;
    }
  }

  #failSubscription(error: unknown): void {
    if (subscriptionEndCodes.has(codeOf(error))) return;
    const outcome = outcomeOfError(error);
    if (error instanceof SlowClientError) this.outcome = 'aborted';
    // The subscription was not refused: it ends because the gateway cannot continue it.
    else this.outcome = outcome === 'shed' ? 'error' : outcome;
  }

  /** The client left before the end of the response. */
  abort(): void {
    if (this.#isSubscribed) return;
    this.outcome = 'aborted';
    for (const item of this.#items ?? []) item.outcome = 'aborted';
  }

  /** The response is one without data. What the execution has returned does not count: a plugin has replaced it. */
  replaceOutcome(status: number): void {
    const { outcome } = this;
    if (outcome === undefined || outcome === 'ok' || outcome === 'partial')
      this.outcome = outcomeOf(undefined, status);
  }

  /** A payload, or a part of one, is sent. */
  addPayload(bytes: number): void {
    // No client reads it.
    if (this.outcome === 'aborted') return;
    this.firstPayloadAt ??= performance.now();
    this.bytes += bytes;
  }

  /** An event of a subscription is sent: the JSON text of an execution result. Its errors come first. */
  checkEvent(text: string): void {
    if (text.startsWith('{"errors"')) this.addErrors();
  }

  /** A fetch of the request is under way, until `endFetch`. `at`: on the clock of `performance.now`. */
  startFetch(at: number): void {
    if (this.#fetches === 0) this.#fetchingSince = at;
    this.#fetches += 1;
  }

  endFetch(at: number): void {
    this.#fetches -= 1;
    if (this.#fetches === 0) this.#fetchingMs += at - this.#fetchingSince;
  }

  /** Time in which at least one fetch of the request was under way, in milliseconds. */
  fetchingMsUntil(endedAt: number): number {
    return this.#fetchingMs + (this.#fetches > 0 ? endedAt - this.#fetchingSince : 0);
  }

  /** Reports the record. Later calls do nothing. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    if (this.#payloads?.hasErrors() === true) this.addErrors();
    this.#onFinish(this, performance.now());
  }
}

/** By the code and the HTTP status of the error. */
export function outcomeOf(code: unknown, status: number): RequestOutcome {
  if (code === 'OVERLOADED') return 'shed';
  if (code === 'RATE_LIMITED') return 'limited';
  if (code === 'REQUEST_ABORTED') return 'aborted';
  return status < 500 ? 'refused' : 'error';
}

function outcomeOfError(error: unknown): RequestOutcome {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return 'error';
  return outcomeOf(codeOf(error), error.status);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** How subscriptions end that nothing is wrong with: their clients subscribe again. */
const subscriptionEndCodes: ReadonlySet<unknown> = new Set<ErrorCode>([
  'SHUTTING_DOWN',
  'SUBSCRIPTION_IDLE',
  'SUPERGRAPH_CHANGED',
]);
