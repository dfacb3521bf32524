import { randomBytes, timingSafeEqual } from 'node:crypto';
import { requestCreationError } from '../../subgraphs/callErrors.ts';
import { createHttpSubgraphClient } from '../../subgraphs/httpSubgraphClient.ts';
import type { CancelSubgraphCall, SubgraphClient, SubgraphReceiver } from '../../subgraphs/subgraphClient.ts';
import type { SubgraphEndpoint } from '../../subgraphs/subgraphPools.ts';
import { systemTimers, type Timers } from '../../time/timers.ts';
import { readCallbackMessage } from './callbackMessage.ts';
import type { CallbackOutcome, CallbackReceiver } from './callbackReceiver.ts';
import { CallbackSubscription } from './callbackSubscription.ts';
import { createFailedSubscription } from './createFailedSubscription.ts';
import { currentEndpointOr } from './currentEndpoint.ts';
import type {
  SourceEndpoint,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

export interface HttpCallbackSourceOptions extends SourceOptions {
  /** The URL to which the subgraph sends messages with this id. Called for each attempt, because the port may not be known
   *  before the gateway listens. */
  callbackUrl(id: string): string;
  /** Creates an unguessable id that can be part of a URL. */
  createId(): string;
}

/** Creates a source for HTTP callback (`callbackSpec=1.0`): a POST asks the subgraph to POST its events to the gateway. The
 *  callback route passes these messages to `receive`. */
export function createHttpCallbackSource(
  options: HttpCallbackSourceOptions,
): SubscriptionSource & CallbackReceiver {
  return new HttpCallbackSource(options);
}

interface CallbackRegistration {
  readonly subscription: CallbackSubscription;
  /** The secret with which the subgraph proves that the gateway subscribed with the id. */
  readonly verifier: string;
}

class HttpCallbackSource implements SubscriptionSource, CallbackReceiver {
  readonly #options: HttpCallbackSourceOptions;
  readonly #timers: Timers;
  readonly #client: SubgraphClient;
  readonly #subscriptions = new Set<CallbackSubscription>();
  readonly #byId = new Map<string, CallbackRegistration>();
  /** The endpoint of each subgraph at the time of its latest subscription. */
  readonly #endpoints = new Map<string, SourceEndpoint>();
  #closed: Promise<void> | undefined;

  constructor(options: HttpCallbackSourceOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#client = createHttpSubgraphClient({
      endpointOf: (subgraph) => {
        const earlier = this.#endpoints.get(subgraph) as SourceEndpoint;
        return toPostEndpoint(
          subgraph,
          currentEndpointOr(earlier, () => options.endpoint(subgraph)),
        );
      },
      sharesInFlightCalls: false,
      // Each subscription has its own timer.
      timers: { now: systemTimers.now, after: () => () => {} },
    });
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    const { subgraph } = request;
    let endpoint: SourceEndpoint;
    try {
      if (this.#closed !== undefined) throw new Error('the source was closed');
      endpoint = this.#options.endpoint(subgraph);
      this.#endpoints.set(subgraph, endpoint);
    } catch (cause) {
      return createFailedSubscription(subgraph, cause, receiver);
    }
    const subscription: CallbackSubscription = new CallbackSubscription({
      subgraph,
      endpoint,
      receiver,
      timers: this.#timers,
      random: this.#options.random ?? Math.random,
      registerId: (subscription) => {
        const id = this.#options.createId();
        this.#byId.set(id, { subscription, verifier: randomBytes(32).toString('hex') });
        return id;
      },
      releaseId: (id) => this.#byId.delete(id),
      post: (id, answerReceiver) => this.#post(request, id, endpoint.heartbeatMs, answerReceiver),
      onAccepted: () => this.#options.onAccepted?.(subgraph),
      onEnd: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    return { cancel: () => subscription.cancel(), flowControl: subscription };
  }

  isKnown(id: string): boolean {
    return this.#byId.has(id);
  }

  receive(id: string, message: unknown, size: number): CallbackOutcome | Promise<CallbackOutcome> {
    const registration = this.#byId.get(id);
    if (registration === undefined) return 'unknown';
    const parsed = readCallbackMessage(id, message);
    if ('malformed' in parsed) return parsed;
    return this.isVerifier(id, parsed.verifier)
      ? registration.subscription.receive(parsed, size)
      : 'forbidden';
  }

  isVerifier(id: string, verifier: unknown): boolean {
    const expected = this.#byId.get(id)?.verifier;
    return expected !== undefined && typeof verifier === 'string' && isSameSecret(verifier, expected);
  }

  failTooLarge(id: string): void {
    this.#byId.get(id)?.subscription.failTooLarge();
  }

  close(): Promise<void> {
    for (const subscription of [...this.#subscriptions]) subscription.cancel();
    this.#closed ??= this.#client.close();
    return this.#closed;
  }

  #post(
    request: SourceRequest,
    id: string,
    heartbeatMs: number,
    receiver: SubgraphReceiver,
  ): CancelSubgraphCall {
    const { subgraph, headers, requestId, traceHeaders } = request;
    let body: string;
    try {
      body = this.#bodyOf(request, id, heartbeatMs);
    } catch (cause) {
      return failCall(subgraph, cause, receiver);
    }
    return this.#client.send(
      {
        subgraph,
        body,
        // Prevents retries: a subgraph that reads the same id twice sends every event twice.
        kind: 'mutation',
        accept: 'application/json;callbackSpec=1.0',
        headers,
        sharingKey: '',
        isDeferred: false,
        priority: 'primary',
        requestId,
        traceHeaders,
        deadline: Number.POSITIVE_INFINITY,
      },
      receiver,
    );
  }

  #bodyOf({ query, variables }: SourceRequest, id: string, heartbeatIntervalMs: number): string {
    const subscription = {
      callbackUrl: this.#options.callbackUrl(id),
      subscriptionId: id,
      verifier: this.#byId.get(id)?.verifier,
      heartbeatIntervalMs,
    };
    return JSON.stringify({ query, variables, extensions: { subscription } });
  }
}

/** Compares in constant time. */
function isSameSecret(actual: string, expected: string): boolean {
  const [actualBytes, expectedBytes] = [Buffer.from(actual), Buffer.from(expected)];
  return actualBytes.length === expectedBytes.length && timingSafeEqual(actualBytes, expectedBytes);
}

/** Subgraphs answer the POST after their first callback, so few connections serve many subscriptions. */
const maxConnections = 64;

function toPostEndpoint(
  subgraph: string,
  { url, connectTimeoutMs, maxEventBytes, http2 = false, tls, signing }: SourceEndpoint,
): SubgraphEndpoint {
  return {
    subgraph,
    url,
    attemptTimeoutMs: connectTimeoutMs,
    maxResponseBytes: maxEventBytes,
    connections: maxConnections,
    http2,
    tls,
    signing,
  };
}

function failCall(subgraph: string, cause: unknown, receiver: SubgraphReceiver): CancelSubgraphCall {
  let isCancelled = false;
  queueMicrotask(() => {
    if (!isCancelled) receiver.onError(requestCreationError(subgraph, cause));
  });
  return () => {
    isCancelled = true;
  };
}
