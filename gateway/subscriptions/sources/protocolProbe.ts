import { randomUUID } from 'node:crypto';
import type { GatewayError } from '../../errors.ts';
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
  /** In the order in which they are tried. */
  readonly protocols: readonly Protocol[];
  readonly delays: SourceEndpoint['reconnect'];
  readonly timers: Timers;
  readonly random: () => number;
  /** Whoever hears that the protocol was accepted ends the probe. */
  subscribe(protocol: Protocol, request: SourceRequest, receiver: SourceReceiver): SourceSubscription;
}

/** Finds out which protocol a subgraph speaks, before anybody subscribes there: by an operation that no server executes,
 *  by one protocol after the other. While the subgraph is not there, again and again, later each time. It decides
 *  nothing where a subgraph may have refused just this request, which has no client's headers. */
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
    const { protocols, subgraph, subscribe } = this.#options;
    const protocol = protocols[index];
    if (protocol === undefined || this.#isStopped) return;
    const next = (error: GatewayError): void => {
      if (isUnavailable(error)) this.#scheduleRetry();
      else if (isUnsupportedProtocol(error)) this.#try(index + 1);
    };
    this.#subscription = subscribe(protocol, createProbeRequest(subgraph), {
      onEvent: () => {},
      onInterrupted: () => {},
      onResumed: () => {},
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

/** No rule lets a subscription have nothing but this field: what begins is a refusal. */
function createProbeRequest(subgraph: string): SourceRequest {
  return {
    subgraph,
    query: 'subscription { __typename }',
    variables: {},
    headers: { key: '', pairs: [] },
    connectionParams: {},
    requestId: randomUUID(),
    traceparent: undefined,
  };
}

function statusOf({ extensions: { http } }: GatewayError): unknown {
  return typeof http === 'object' && http !== null && 'status' in http ? http.status : undefined;
}

function isUnavailable(error: GatewayError): boolean {
  const status = statusOf(error);
  return isTransientError(error) || (typeof status === 'number' && status >= 500 && status !== 501);
}

/** It was refused, and not for who has asked, nor because the subgraph is not there. */
export function isUnsupportedProtocol(error: GatewayError): boolean {
  if (isUnavailable(error)) return false;
  const status = statusOf(error);
  if (status === 401 || status === 403) return false;
  return (
    status !== undefined ||
    error.code === 'SUBGRAPH_INVALID_RESPONSE' ||
    reportedErrorsOf(error) !== undefined
  );
}
