import { isDeepStrictEqual } from 'node:util';
import { maskSecrets } from '../config/addressSecrets.ts';
import { describeCause, GatewayError } from '../errors.ts';
import { TextKey } from '../sharing/textMap.ts';
import { systemTimers, type Timers } from '../time/timers.ts';
import { requestCreationError, unreachableError } from './callErrors.ts';
import type { CallHooks } from './callHooks.ts';
import { HttpCall } from './httpCall.ts';
import type { AttemptEnd, CallOutcome } from './policies/call.ts';
import { callLimitsOf } from './policies/callLimits.ts';
import {
  type CallPolicies,
  type CallPolicyContext,
  type CallPolicyObserver,
  createCallPolicies,
  type SubgraphState,
  stateOf,
} from './policies/callPolicies.ts';
import { type CallUrgency, urgencyOf } from './policies/callUrgency.ts';
import { type InFlightCallRequest, InFlightCalls } from './policies/inFlightCalls.ts';
import { applySendPolicies } from './policies/sendPolicies.ts';
import type { CallStartContext, CallTimes } from './policies/sharedCall.ts';
import { signatureHeaderOf } from './requestSignature.ts';
import type {
  CancelSubgraphCall,
  SendPolicy,
  SubgraphClient,
  SubgraphReceiver,
  SubgraphRequest,
  SubgraphResponse,
} from './subgraphClient.ts';
import { type SubgraphEndpoint, SubgraphPools, type SubgraphTarget } from './subgraphPools.ts';

/** One HTTP call that has ended. */
export interface SubgraphCallEvent {
  readonly subgraph: string;
  /** Of the request that started the call; other requests may have joined it. */
  readonly requestId: string;
  /** `completed` also where the response has GraphQL errors. */
  readonly outcome: CallOutcome;
  /** The HTTP status; `undefined` if no response started. */
  readonly status: number | undefined;
  /** Until the whole response had arrived, without the time in the queue. */
  readonly durationMs: number;
  /** When the whole response had arrived, or the call ended without one, on the clock of `performance.now`. */
  readonly endedAt: number;
  /** Of the request; 0 without `_entities`. */
  readonly representations: number;
  /** The whole response had arrived. */
  readonly isComplete: boolean;
  /** `undefined` for a call that succeeded, and for a cancelled one. */
  readonly failure: CallFailure | undefined;
}

/** Why a call failed. Described only where it is logged: many calls may fail, and few of them leave a line. */
export class CallFailure {
  readonly #call: Pick<HttpCall, 'url'>;
  readonly #result: AttemptEnd['result'] | undefined;

  /** `result`: of the last attempt. A response has a status outside 2xx. */
  constructor(call: Pick<HttpCall, 'url'>, result: AttemptEnd['result'] | undefined) {
    this.#call = call;
    this.#result = result;
  }

  /** `url`: where the call was sent, without the values of query parameters. `problem`: what went wrong, such as
   *  `connect ECONNREFUSED 127.0.0.1:4001`; `undefined` if the outcome says all there is to say. */
  describe(): { readonly url: string; readonly problem: string | undefined } {
    const result = this.#result;
    const problem =
      result instanceof GatewayError ? describeCause(result) : result && describeReportedErrors(result);
    return { url: maskSecrets(this.#call.url), problem };
  }
}

/** Without the text of a subgraph, except the code of the first error. */
function describeReportedErrors({ errors = [] }: SubgraphResponse): string | undefined {
  const [first] = errors;
  if (first === undefined) return undefined;
  const code = first.extensions?.code;
  const isName = typeof code === 'string' && /^[A-Z][A-Z\d_]{0,99}$/.test(code);
  return `GraphQL errors in the response: ${errors.length}${isName ? `, the first one with the code ${code}` : ''}`;
}

export interface HttpSubgraphClientOptions {
  /** Called for every request, so that a new supergraph needs no new client. */
  endpointOf(subgraph: string): SubgraphEndpoint;
  /** Equal queries in flight share one call. */
  readonly sharesInFlightCalls: boolean;
  /** Put around everything else, the first one outermost; none when omitted. */
  readonly policies?: readonly SendPolicy[] | undefined;
  /** Called for each HTTP request. */
  readonly hooks?: CallHooks | undefined;
  /** With the clock of `SubgraphRequest.deadline`. Default: real time. */
  readonly timers?: Timers | undefined;
  readonly onCall?: ((event: SubgraphCallEvent) => void) | undefined;
  /** How long calls for first responses may wait in an overloaded queue, in milliseconds; no limit when omitted. */
  readonly queueTimeMs?: number | undefined;
  /** Random numbers from 0 up to 1, for the jitter of retries; `Math.random` when omitted. */
  readonly random?: (() => number) | undefined;
  readonly observer?: CallPolicyObserver | undefined;
  /** A receiver or `onCall` threw. Emits a process warning when omitted. */
  readonly onReceiverFault?: ((fault: unknown) => void) | undefined;
}

export interface ObservableSubgraphClient extends SubgraphClient {
  /** The state of every subgraph that was called. */
  states(): readonly SubgraphState[];
}

/** Creates the client that calls subgraphs over HTTP, with keep-alive connections. `applySendPolicies` lists the policies
 *  that a request passes, and their order. */
export function createHttpSubgraphClient(options: HttpSubgraphClientOptions): ObservableSubgraphClient {
  const client = new HttpSubgraphClient(options);
  return {
    send: applySendPolicies((request, receiver) => client.send(request, receiver), options.policies ?? []),
    close: () => client.close(),
    states: () => client.states(),
  };
}

class HttpSubgraphClient {
  readonly #endpointOf: (subgraph: string) => SubgraphEndpoint;
  readonly #sharesInFlightCalls: boolean;
  readonly #hooks: CallHooks | undefined;
  readonly #pools: SubgraphPools;
  readonly #inFlightCalls: InFlightCalls<HttpCall>;
  readonly #policyContext: CallPolicyContext;
  readonly #policies = new Map<string, { endpoint: SubgraphEndpoint; policies: CallPolicies }>();
  #closing: Promise<void> | undefined;

  constructor(options: HttpSubgraphClientOptions) {
    const { onCall, timers = systemTimers } = options;
    const now = (): number => timers.now();
    this.#pools = new SubgraphPools(timers);
    this.#endpointOf = options.endpointOf;
    this.#sharesInFlightCalls = options.sharesInFlightCalls;
    this.#hooks = options.hooks;
    const { observer } = options;
    this.#policyContext = {
      now,
      wallClock: Date.now,
      random: options.random ?? Math.random,
      queueTimeMs: options.queueTimeMs,
      observer,
    };
    this.#inFlightCalls = new InFlightCalls<HttpCall>({
      now,
      after: (ms, run) => timers.after(ms, run),
      onReceiverFault: options.onReceiverFault ?? emitFaultWarning,
      onRetry: observer && ((subgraph) => observer.onRetry(subgraph)),
      onJoin: observer && ((subgraph) => observer.onJoin(subgraph)),
      onHedge: observer && ((subgraph) => observer.onHedge(subgraph)),
      onCallEnd: onCall && ((call, outcome, times, end) => onCall(eventOf(call, outcome, times, end))),
    });
  }

  send(request: SubgraphRequest, receiver: SubgraphReceiver): CancelSubgraphCall {
    if (this.#closing !== undefined)
      return this.#inFlightCalls.reject(receiver, clientClosedError(request.subgraph));
    let endpoint: SubgraphEndpoint;
    let target: SubgraphTarget;
    try {
      endpoint = this.#endpointOf(request.subgraph);
      target = this.#pools.targetOf(endpoint, request.isDeferred);
    } catch (cause) {
      return this.#inFlightCalls.reject(receiver, requestCreationError(request.subgraph, cause));
    }
    const policies = this.#policiesOf(request.subgraph, endpoint);
    return this.#inFlightCalls.send(
      new EndpointRequest(request, receiver, {
        key: this.#isSharable(request) ? callKey(request, endpoint.url) : undefined,
        endpoint,
        target,
        policies,
        pools: this.#pools,
        hooks: this.#hooks,
      }),
    );
  }

  /** The policies of a subgraph. They keep what they have learned when a new supergraph has another address. */
  #policiesOf(subgraph: string, endpoint: SubgraphEndpoint): CallPolicies {
    const known = this.#policies.get(subgraph);
    if (known?.endpoint === endpoint) return known.policies;
    const limits = callLimitsOf(endpoint);
    const policies =
      known !== undefined && isDeepStrictEqual(known.policies.limits, limits)
        ? known.policies
        : createCallPolicies(subgraph, limits, endpoint, this.#policyContext);
    this.#policies.set(subgraph, { endpoint, policies });
    return policies;
  }

  #isSharable({ kind, body, accept }: SubgraphRequest): boolean {
    return (
      this.#sharesInFlightCalls &&
      kind === 'query' &&
      accept === undefined &&
      body.length <= maxSharedBodyLength
    );
  }

  states(): readonly SubgraphState[] {
    return Array.from(this.#policies, ([subgraph, { policies }]) => stateOf(subgraph, policies));
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    // A receiver that sends another request when its own one fails must find the client closed.
    await null;
    this.#inFlightCalls.failAll(clientClosedError);
    await this.#pools.destroy(new Error('the client was closed'));
  }
}

interface RequestRoute {
  /** See `InFlightCalls`. */
  readonly key: TextKey | undefined;
  readonly endpoint: SubgraphEndpoint;
  /** Of a first attempt without a balancer. */
  readonly target: SubgraphTarget;
  readonly policies: CallPolicies;
  readonly pools: SubgraphPools;
  readonly hooks: CallHooks | undefined;
}

/** A request with the endpoint that it is for. Creates its HTTP requests. */
class EndpointRequest implements InFlightCallRequest<HttpCall> {
  readonly receiver: SubgraphReceiver;
  readonly urgency: CallUrgency;
  readonly #request: SubgraphRequest;
  readonly #route: RequestRoute;
  /** Computed once for all attempts. */
  #signature: readonly string[] | undefined;

  constructor(request: SubgraphRequest, receiver: SubgraphReceiver, route: RequestRoute) {
    this.receiver = receiver;
    this.urgency = urgencyOf(request);
    this.#request = request;
    this.#route = route;
  }

  get key(): TextKey | undefined {
    return this.#route.key;
  }

  get subgraph(): string {
    return this.#request.subgraph;
  }

  get attemptTimeoutMs(): number {
    return this.#route.endpoint.attemptTimeoutMs;
  }

  get deadline(): number {
    return this.#request.deadline;
  }

  get raisablePriorities(): SubgraphRequest['raisablePriorities'] {
    return this.#request.raisablePriorities;
  }

  get isIdempotent(): boolean {
    return this.#request.kind === 'query';
  }

  get coordinates(): SubgraphRequest['coordinates'] {
    return this.#request.coordinates;
  }

  get policies(): CallPolicies {
    return this.#route.policies;
  }

  get span(): SubgraphRequest['span'] {
    return this.#request.span;
  }

  createCall({ deadline, isDeferred, now, previous }: CallStartContext<HttpCall>): HttpCall {
    const request = this.#request;
    const { endpoint, policies, pools, hooks } = this.#route;
    const endpointUrl = policies.balancer?.choose(previous?.endpointUrl);
    const isKnownTarget = endpointUrl === undefined && isDeferred === request.isDeferred;
    const target = isKnownTarget ? this.#route.target : pools.targetOf(endpoint, isDeferred, endpointUrl);
    request.span?.onSend(target.origin);
    const headers = headersOf(request, target.acceptsCompressed, deadline - now);
    if (endpoint.signing !== undefined) {
      this.#signature ??= signatureHeaderOf(endpoint.signing, request.body);
      headers.push(...this.#signature);
    }
    return new HttpCall({ request, endpoint, target, headers, retry: policies.retry, endpointUrl, hooks });
  }
}

function eventOf(
  call: HttpCall,
  outcome: CallOutcome,
  { latencyMs: durationMs, endedAt }: CallTimes,
  end: AttemptEnd | undefined,
): SubgraphCallEvent {
  const { request, status } = call;
  const { subgraph, requestId, representations = 0 } = request;
  return {
    subgraph,
    requestId,
    outcome,
    status,
    durationMs,
    endedAt,
    representations,
    isComplete: call.isComplete,
    failure: failureOf(call, outcome, end),
  };
}

function failureOf(
  call: HttpCall,
  outcome: CallOutcome,
  end: AttemptEnd | undefined,
): CallFailure | undefined {
  const isSuccess = outcome === 'completed' && (call.status ?? 200) < 400;
  if (isSuccess || outcome === 'cancelled') return undefined;
  return new CallFailure(call, end?.result);
}

/** Longer bodies are not shared: comparing them takes longer than it is worth. In characters. */
const maxSharedBodyLength = 1024 * 1024;

/** Equal for calls that may share one response. With its length before each part, the key is unambiguous. */
function callKey({ subgraph, headers: { key }, sharingKey, body }: SubgraphRequest, url: string): TextKey {
  return new TextKey(
    `${subgraph.length}:${subgraph}${url.length}:${url}${sharingKey.length}:${sharingKey}${key}`,
    body,
  );
}

function headersOf(request: SubgraphRequest, acceptsCompressed: boolean, remainingMs: number): string[] {
  const headers = [
    'content-type',
    'application/json',
    'accept',
    request.accept ?? 'application/graphql-response+json, application/json;q=0.9',
    'x-request-id',
    request.requestId,
    ...request.headers.pairs,
    ...(request.span?.headers ?? request.traceHeaders ?? []),
  ];
  // In whole milliseconds, rounded down; never 0, which reads as "none".
  const deadlineMs = Math.max(1, Math.floor(remainingMs));
  if (Number.isFinite(deadlineMs)) headers.push('tributary-deadline-ms', String(deadlineMs));
  if (acceptsCompressed) headers.push('accept-encoding', 'gzip, br');
  return headers;
}

function clientClosedError(subgraph: string): GatewayError {
  return unreachableError(subgraph, new Error('the client was closed'));
}

function emitFaultWarning(fault: unknown): void {
  process.emitWarning(fault instanceof Error ? fault : String(fault));
}
