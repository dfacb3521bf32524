import type { ErrorCode, GatewayError } from '../../errors.ts';
import type { SubgraphResponse } from '../subgraphClient.ts';

/** A complete response, which is read once for each receiver. */
export interface CallResponse {
  /** Calls `done` with the response: before this returns, or later where the response is large and read in slices.
   *  Returns a function that stops reading. */
  read(done: (response: SubgraphResponse | GatewayError) => void): () => void;
}

/** Gets exactly one of the two calls, never before `start` has returned and never after `abort`. */
export interface CallListener {
  onResponse(response: CallResponse): void;
  onFailure(error: GatewayError): void;
}

/** One HTTP request to a subgraph that has not been sent yet. */
export interface Call {
  /** The HTTP status; `undefined` until it has arrived. */
  readonly status?: number | undefined;
  /** The endpoint of the call, where the subgraph has several. */
  readonly endpointUrl?: string | undefined;
  /** The response header `Retry-After`. */
  readonly retryAfter?: string | undefined;
  /** Whether the server may have got the request; `undefined` counts as true. */
  readonly mayHaveArrived?: boolean | undefined;
  start(listener: CallListener): void;
  abort(): void;
}

export type CallOutcome = 'completed' | 'cancelled' | ErrorCode;

/** How an attempt to call a subgraph ended. */
export interface AttemptEnd {
  readonly result: SubgraphResponse | GatewayError;
  /** The HTTP status; `undefined` if no response started. */
  readonly status: number | undefined;
  /** The response header. */
  readonly retryAfter: string | undefined;
}
