import { isDeepStrictEqual } from 'node:util';
import { GatewayError } from '../errors.ts';
import { TextKey } from '../sharing/textMap.ts';
import { unreachableError } from './callErrors.ts';
import type { CallHooks } from './callHooks.ts';
import { HttpCall } from './httpCall.ts';
import type { CallOutcome } from './policies/call.ts';
import { callLimitsOf } from './policies/callLimits.ts';
import {
  type CallPolicies,
  type CallPolicyContext,
  type CallPolicyObserver,
  createCallPolicies,
  type SubgraphState,
  stateOf,
} from './policies/callPolicies.ts';
import { urgencyOf } from './policies/callUrgency.ts';
import { InFlightCalls } from './policies/inFlightCalls.ts';
import { applySendPolicies } from './policies/sendPolicies.ts';
import type { CallStartContext } from './policies/sharedCall.ts';
import { signatureOf } from './requestSignature.ts';
import type {
  CancelSubgraphCall,
  SendPolicy,
  SubgraphClient,
  SubgraphReceiver,
  SubgraphRequest,
} from './subgraphClient.ts';
import { type SubgraphEndpoint, SubgraphPools, type SubgraphTarget } from './subgraphPools.ts';

/** One HTTP call that has ended. */
export interface SubgraphCallEvent {
  readonly subgraph: string;
  readonly kind: 'query' | 'mutation';
  /** Of the request that started the call; other requests may have joined it. */
  readonly requestId: string;
  /** `answered` also where the response has GraphQL errors. */
  readonly outcome: CallOutcome;
  /** The HTTP status; `undefined` if no response started. */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** Bytes of the body as received, before decompression. */
  readonly receivedBytes: number;
  /** Of the request; 0 without `_entities`. */
  readonly representations: number;
  /** How many requests waited for this call. */
  readonly receivers: number;
  /** The request was sent a second time after a lost idle connection. */
  readonly isResent: boolean;
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
  /** Milliseconds on the clock of `SubgraphRequest.deadline`; `performance.now` when omitted. */
  readonly now?: (() => number) | undefined;
  /** Returns a function that stops the timer; `setTimeout` when omitted. */
  readonly setTimer?: ((fire: () => void, delayMs: number) => () => void) | undefined;
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

/** A call with what `onCall` reports. Used only if there is an `onCall`. */
class ObservedCall extends HttpCall {
  readonly request: SubgraphRequest;
  readonly startedAt: number;

  constructor(request: SubgraphRequest, startedAt: number, ...call: ConstructorParameters<typeof HttpCall>) {
    super(...call);
    this.request = request;
    this.startedAt = startedAt;
  }
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
  readonly #now: () => number;
  readonly #isObserved: boolean;
  readonly #hooks: CallHooks | undefined;
  readonly #pools = new SubgraphPools();
  readonly #inFlightCalls: InFlightCalls<HttpCall>;
  readonly #policyContext: CallPolicyContext;
  readonly #policies = new Map<string, { endpoint: SubgraphEndpoint; policies: CallPolicies }>();
  #closing: Promise<void> | undefined;

  constructor(options: HttpSubgraphClientOptions) {
    const { onCall } = options;
    this.#endpointOf = options.endpointOf;
    this.#sharesInFlightCalls = options.sharesInFlightCalls;
    this.#now = options.now ?? (() => performance.now());
    this.#isObserved = onCall !== undefined;
    this.#hooks = options.hooks;
    const { observer } = options;
    this.#policyContext = {
      now: this.#now,
      wallClock: Date.now,
      random: options.random ?? Math.random,
      queueTimeMs: options.queueTimeMs,
      observer,
    };
    this.#inFlightCalls = new InFlightCalls<HttpCall>({
      now: this.#now,
      setTimer: options.setTimer ?? startTimer,
      onReceiverFault: options.onReceiverFault ?? emitFaultWarning,
      onRetry: observer && ((subgraph) => observer.onRetry(subgraph)),
      onJoin: observer && ((subgraph) => observer.onJoin(subgraph)),
      onHedge: observer && ((subgraph) => observer.onHedge(subgraph)),
      onCallEnd:
        onCall === undefined
          ? undefined
          : (call, outcome, receivers) => {
              if (call instanceof ObservedCall) onCall(this.#eventOf(call, outcome, receivers));
            },
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
      const options = { subgraph: request.subgraph, cause };
      const message = 'The gateway could not create its request to a subgraph.';
      return this.#inFlightCalls.reject(
        receiver,
        new GatewayError('INTERNAL_SERVER_ERROR', message, options),
      );
    }
    const { deadline, isDeferred } = request;
    const policies = this.#policiesOf(request.subgraph, endpoint);
    // Computed once for all attempts.
    let signature: readonly string[] | undefined;
    return this.#inFlightCalls.send({
      key: this.#isSharable(request) ? callKey(request, endpoint.url) : undefined,
      subgraph: request.subgraph,
      attemptTimeoutMs: endpoint.attemptTimeoutMs,
      deadline,
      urgency: urgencyOf(request),
      raisablePriorities: request.raisablePriorities,
      isIdempotent: request.kind === 'query',
      coordinates: request.coordinates,
      policies,
      receiver,
      span: request.span,
      createCall: (start) => {
        signature ??= endpoint.signing && signatureOf(endpoint.signing, request.body);
        const isKnownTarget = policies.balancer === undefined && start.isDeferred === isDeferred;
        return this.#createCall(
          request,
          signature,
          endpoint,
          isKnownTarget ? target : undefined,
          start,
          policies,
        );
      },
    });
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

  #createCall(
    request: SubgraphRequest,
    signature: readonly string[] | undefined,
    endpoint: SubgraphEndpoint,
    knownTarget: SubgraphTarget | undefined,
    { deadline, isDeferred, previous }: CallStartContext<HttpCall>,
    { retry, balancer }: CallPolicies,
  ): HttpCall {
    const now = this.#now();
    const endpointUrl = balancer?.choose(previous?.endpointUrl);
    const target = knownTarget ?? this.#pools.targetOf(endpoint, isDeferred, endpointUrl);
    request.span?.onSend(target.origin);
    const headers = headersOf(request, target.acceptsCompressed, deadline - now);
    if (signature !== undefined) headers.push(...signature);
    const call = {
      subgraph: request.subgraph,
      target,
      headers,
      body: request.body,
      maxResponseBytes: endpoint.maxResponseBytes,
      respond: endpoint.respond,
      isIdempotent: request.kind === 'query',
      takeResend: retry && (() => retry.takeResend()),
      endpointUrl,
      hooks: this.#hooks,
      requestId: request.requestId,
    };
    return this.#isObserved ? new ObservedCall(request, now, call) : new HttpCall(call);
  }

  #eventOf(call: ObservedCall, outcome: CallOutcome, receivers: number): SubgraphCallEvent {
    const { subgraph, kind, requestId, representations = 0 } = call.request;
    return {
      subgraph,
      kind,
      requestId,
      outcome,
      status: call.status,
      durationMs: this.#now() - call.startedAt,
      receivedBytes: call.receivedBytes,
      representations,
      receivers,
      isResent: call.isResent,
    };
  }
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
  // In whole milliseconds, rounded down; never 0, which reads as "none".
  const deadlineMs = Math.max(1, Math.floor(remainingMs));
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
  if (Number.isFinite(deadlineMs)) headers.push('tributary-deadline-ms', String(deadlineMs));
  if (acceptsCompressed) headers.push('accept-encoding', 'gzip, br');
  return headers;
}

function clientClosedError(subgraph: string): GatewayError {
  return unreachableError(subgraph, new Error('the client was closed'));
}

function startTimer(fire: () => void, delayMs: number): () => void {
  const timer = setTimeout(fire, delayMs);
  return () => clearTimeout(timer);
}

function emitFaultWarning(fault: unknown): void {
  process.emitWarning(fault instanceof Error ? fault : String(fault));
}
