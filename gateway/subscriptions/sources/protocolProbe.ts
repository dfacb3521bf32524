import { randomUUID } from 'node:crypto';
import type { GatewayError } from '../../errors.ts';
import { httpStatusOf } from '../../subgraphs/callErrors.ts';
import type { ForwardedHeaders } from '../../subgraphs/forwardedHeaders.ts';
import { noTrace } from '../../telemetry/traceContext.ts';
import { backoffDelayMs } from '../../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { isTransientError } from './reconnectBackoff.ts';
import { reportedErrorsOf } from './reportedErrors.ts';
import type {
  SourceEndpoint,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
} from './subscriptionSource.ts';

interface ProtocolProbeOptions<Protocol extends string> {
  readonly subgraph: string;
  /** Those that need no client. */
  readonly headers: ForwardedHeaders;
  /** In order of preference. */
  readonly protocols: readonly Protocol[];
  readonly delays: SourceEndpoint['reconnect'];
  readonly timers: Timers;
  readonly random: () => number;
  /** When the protocol is accepted, the owner stops the probe. */
  subscribe(protocol: Protocol, request: SourceRequest, receiver: SourceReceiver): SourceSubscription;
}

/** Detects the protocol of a subgraph before a client subscribes: sends an operation that no server executes with one
 *  protocol after the other. While the subgraph is unavailable, retries with growing delays. Ends without a result if the
 *  subgraph may have refused only this request, which has no client headers. */
export class ProtocolProbe<Protocol extends string> {
  readonly #options: ProtocolProbeOptions<Protocol>;
  #attempts = 0;
  #subscription: SourceSubscription | undefined;
  #cancelTimer: CancelTimer | undefined;
  #isStopped = false;

  constructor(options: ProtocolProbeOptions<Protocol>) {
    this.#options = options;
    this.#try(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#subscription?.cancel();
    this.#cancelTimer?.();
  }

  #try(index: number): void {
    const { protocols, subgraph, headers, subscribe } = this.#options;
    const protocol = protocols[index];
    if (protocol === undefined || this.#isStopped) return;
    const next = (error: GatewayError): void => {
      if (isUnavailable(error)) this.#scheduleRetry();
      else if (isUnsupportedProtocol(error)) this.#try(index + 1);
    };
    this.#subscription = subscribe(protocol, createProbeRequest(subgraph, headers), {
      onEvent: () => {},
      onInterrupted: () => {},
      onComplete: () => {},
      onError: next,
    });
  }

  #scheduleRetry(): void {
    const { delays, timers, random } = this.#options;
    const { minDelayMs: minDelay, maxDelayMs: maxDelay } = delays;
    this.#attempts += 1;
    const delay = backoffDelayMs(this.#attempts, { minDelay, maxDelay }, random);
    this.#cancelTimer = timers.after(delay, () => this.#try(0));
  }
}

/** Validation forbids a subscription with only this field, so a server that speaks the protocol refuses it. */
function createProbeRequest(subgraph: string, headers: ForwardedHeaders): SourceRequest {
  return {
    subgraph,
    query: 'subscription { __typename }',
    variables: {},
    headers,
    connectionParams: {},
    requestId: randomUUID(),
    traceHeaders: noTrace,
  };
}

function isUnavailable(error: GatewayError): boolean {
  const status = httpStatusOf(error);
  return isTransientError(error) || (status !== undefined && status >= 500 && status !== 501);
}

/** Whether the subgraph refused the protocol itself: not for lack of authentication, nor because it is unavailable. */
export function isUnsupportedProtocol(error: GatewayError): boolean {
  if (isUnavailable(error)) return false;
  const status = httpStatusOf(error);
  if (status === 401 || status === 403) return false;
  return (
    status !== undefined ||
    error.code === 'SUBGRAPH_INVALID_RESPONSE' ||
    reportedErrorsOf(error) !== undefined
  );
}
