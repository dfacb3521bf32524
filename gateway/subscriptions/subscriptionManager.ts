import { GatewayError, internalServerError } from '../errors.ts';
import { serializeVariables } from '../execution/fetchCall.ts';
import type { FetchStep } from '../execution/program.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import { parseExactJson } from '../json/exactJson.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SubscriptionOutcome } from '../response/executionOutcome.ts';
import { partitionKeyOf } from '../response/responseKey.ts';
import type { SubscriptionPayload } from '../response/subscriptionEvents.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { InactivityTimer } from '../time/inactivityTimer.ts';
import type { Timers } from '../time/timers.ts';
import { CaughtUpSubscriptions } from './caughtUpSubscriptions.ts';
import type { EventQueueOptions } from './eventQueue.ts';
import { SharedSubscription } from './sharedSubscription.ts';
import type {
  SourceEvent,
  SourceReceiver,
  SourceRequest,
  SubscriptionSource,
} from './sources/subscriptionSource.ts';
import type { Subscriber } from './subscriber.ts';
import { SubscriberQueue } from './subscriberQueue.ts';
import { SubscriptionRegistry } from './subscriptionRegistry.ts';
import { type ReprepareOperation, SubscriptionReplanner } from './subscriptionReplanner.ts';
import type { EventFeed, SubscribeRetryLimits } from './upstreamSubscription.ts';

export interface SubscriptionManagerOptions {
  readonly source: SubscriptionSource;
  readonly queue: EventQueueOptions;
  readonly reportsInterruptions: boolean;
  /** The error that clients see when a subgraph ended a subscription with an error. Called once for each error. */
  toClientError(error: GatewayError): GatewayError;
  /** The same for each interruption. */
  toClientInterruption(error: GatewayError): GatewayError;
  readonly retryLimits: SubscribeRetryLimits;
  /** Called for each failed attempt of it. */
  onResubscribeFailed(error: GatewayError): void;
  /** A fault of the gateway failed an event, or ended a subscription. `requestId`: of the client that subscribed first. */
  onInternalError(cause: unknown, requestId: string): void;
  /** See `FeatureContext.openStream`. */
  openStream(clientKey: string, weight: number): () => void;
  /** The client's connection parameters that are forwarded to a subgraph. */
  connectionParamsFor(subgraph: string, request: OperationRequest): Readonly<Record<string, unknown>>;
  /** Milliseconds without an event after which a client's subscription ends; 0 for no limit. */
  readonly idleTimeoutMs: number;
  readonly timers: Timers;
}

/** The prepared subscription of one client. */
interface SubscriptionRequest {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly requestContext: RequestContext;
  /** Executes the operation on an event. `operation` may be newer than this request's, after a supergraph change. */
  complete(
    event: SourceEvent,
    operation: PreparedOperation,
    signal: AbortSignal,
  ): AsyncIterable<SubscriptionPayload>;
}

type SubscribedClient = Pick<SubscriptionRequest, 'request' | 'requestContext'>;

/** A running shared subscription. A new supergraph replaces its operation. */
interface ActiveSubscription {
  readonly shared: SharedSubscription;
  subscription: SubscriptionRequest;
  upstream: UpstreamOperation;
  /** The cursor of the last event that has one; before that, the client's `resumeAfter`. */
  lastCursor: string | undefined;
}

/** What one subscription at the subgraph was made for. The operation is replaced by later ones that send the same text to
 *  the subgraph. */
interface UpstreamOperation {
  operation: PreparedOperation;
}

/** Serves the subscriptions of clients. Equal ones share one subscription at the subgraph, and its completed events. */
export class SubscriptionManager {
  readonly #options: SubscriptionManagerOptions;
  readonly #registry = new SubscriptionRegistry<ActiveSubscription>();
  /** Whose payloads a subscriber gets. */
  readonly #clients = new WeakMap<Subscriber, SubscribedClient>();
  readonly #caughtUp = new CaughtUpSubscriptions(this.#registry);
  #droppedEventCount = 0;
  readonly #replanner: SubscriptionReplanner<ActiveSubscription>;

  constructor(options: SubscriptionManagerOptions) {
    this.#options = options;
    this.#replanner = new SubscriptionReplanner({
      timers: options.timers,
      listActive: () => this.#registry.list(),
      onReplanned: (active, operation) => this.#switchOperation(active, operation),
      onInvalid: ({ shared }) => shared.fail(supergraphChangedError()),
    });
  }

  /** @throws {GatewayError} `OVERLOADED` when a stream limit is reached, or the error of `SubscriptionSource.validate`. */
  subscribe(subscription: SubscriptionRequest): SubscriptionOutcome {
    const { queue, source, openStream, idleTimeoutMs, timers, reportsInterruptions } = this.#options;
    const refusal = source.validate?.(
      this.#sourceRequest({ subscription }, subscription.request.resumeAfter),
    );
    if (refusal !== undefined) throw refusal;
    const description = this.#describe(subscription);
    const weight = 1 + Math.floor(description.length / charactersPerWeight);
    const closeStream = openStream(subscription.requestContext.clientKey, weight);
    const { signal } = subscription.request;
    let leave: (() => void) | undefined;
    let idle: InactivityTimer | undefined;
    let isEnded = false;
    const end = (): void => {
      if (isEnded) return;
      isEnded = true;
      closeStream();
      idle?.stop();
      signal.removeEventListener('abort', abort);
      leave?.();
    };
    const subscriber = new SubscriberQueue({
      queue,
      reportsDroppedEvents: reportsInterruptions,
      onDropped: () => this.#countDroppedEvent(),
      onEnd: end,
      ...(idleTimeoutMs > 0 && { onActivity: () => idle?.recordActivity() }),
    });
    const { request, requestContext } = subscription;
    this.#clients.set(subscriber, { request, requestContext });
    if (idleTimeoutMs > 0) {
      idle = new InactivityTimer({
        timers,
        intervalMs: idleTimeoutMs,
        onIdle: () => subscriber.onError(idleTimeoutError(idleTimeoutMs)),
      });
    }
    function abort(): void {
      subscriber.unsubscribe();
    }
    signal.addEventListener('abort', abort, { once: true });
    try {
      leave = this.#join(subscription, description, subscriber);
    } catch (error) {
      end();
      throw error;
    }
    if (isEnded) leave();
    else this.#replanner.replanIfOutdated({ subscription });
    return { kind: 'subscription', events: subscriber.events() };
  }

  /** A method of its own: a closure of `subscribe` that used `subscription` would keep its supergraph in memory until the
   *  client leaves. */
  #join(subscription: SubscriptionRequest, description: string, subscriber: Subscriber): () => void {
    return this.#registry.join(
      // Clients that resume after the same event share the replay if they subscribe before its first event.
      textOf(subscription.request) === undefined ? undefined : description,
      subscriber,
      (onEnd) => this.#createShared(subscription, onEnd),
      (active) => active.shared.start(this.#feedOf(active)),
    );
  }

  /** Moves all subscriptions to a new supergraph. A subscription for which `prepare` returns `undefined` ends, and so it does
   *  for clients that shared it and may differ now. A subscription whose text for the subgraph changes is sent to the
   *  subgraph again. While planning fails temporarily, a subscription continues with its old plan, and planning is retried. */
  replan(supergraph: Supergraph, prepare: ReprepareOperation): Promise<void> {
    return this.#replanner.replanAll(supergraph, prepare);
  }

  #switchOperation(active: ActiveSubscription, operation: PreparedOperation): void {
    if (active.shared.subscribers.size === 0) return;
    const previous = active.subscription.operation;
    active.subscription = { ...active.subscription, operation };
    try {
      this.#endDifferentClients(active, previous);
      // Also of one that is not shared yet: headers that cannot be computed fail it now, not when it has caught up.
      const description = this.#describe(active.subscription);
      this.#registry.rekey(active, isShareable(active.subscription) ? description : undefined);
      const [old, next] = [active.upstream.operation, operation].map((it) => subscriptionStepOf(it).shape);
      if (old?.subgraph === next?.subgraph && old?.operationText === next?.operationText) {
        active.upstream.operation = operation;
        active.shared.notifyOperationChanged();
        return;
      }
      active.upstream = { operation };
      active.shared.resubscribe(this.#feedOf(active));
    } catch (cause) {
      active.shared.fail(this.#toClientError(cause, active));
    }
  }

  #toClientError(cause: unknown, active: ActiveSubscription): GatewayError {
    return cause instanceof GatewayError ? cause : this.#toInternalError(cause, active);
  }

  #toInternalError(cause: unknown, { subscription }: ActiveSubscription): GatewayError {
    this.#options.onInternalError(cause, subscription.request.requestId);
    return internalServerError(cause);
  }

  /** Ends the subscription for each client that may differ from the first one now. The operation was prepared for the first
   *  one, and the others have joined because they were equal in what the previous operation depended on. */
  #endDifferentClients({ shared, subscription }: ActiveSubscription, previous: PreparedOperation): void {
    const { operation, requestContext } = subscription;
    const isDecidedAnew = operation.access !== undefined && !operation.access.equals(previous.access);
    const partition = this.#findPartition(operation, subscription);
    for (const subscriber of [...shared.subscribers]) {
      const client = this.#clients.get(subscriber) as SubscribedClient;
      if (client.requestContext === requestContext) continue;
      if (isDecidedAnew || partition === undefined || this.#findPartition(operation, client) !== partition)
        subscriber.onError(supergraphChangedError());
    }
  }

  /** How many events were dropped because a queue was full: before completion, or in the queue of one client. */
  get droppedEventCount(): number {
    return this.#droppedEventCount;
  }

  #countDroppedEvent(): void {
    this.#droppedEventCount += 1;
  }

  /** Ends all subscriptions. */
  async close(): Promise<void> {
    this.#replanner.close();
    for (const { shared } of this.#registry.list()) shared.fail(shutdownError());
    await this.#options.source.close();
  }

  #createShared(subscription: SubscriptionRequest, onEnd: () => void): ActiveSubscription {
    const { resumeAfter } = subscription.request;
    const active: ActiveSubscription = {
      subscription,
      upstream: { operation: subscription.operation },
      lastCursor: resumeAfter,
      shared: new SharedSubscription({
        ...this.#options,
        isBehind: resumeAfter !== undefined,
        onDropped: () => this.#countDroppedEvent(),
        toInternalError: (cause) => this.#toInternalError(cause, active),
        onCaughtUp: () => {
          const { request } = active.subscription;
          active.subscription = { ...active.subscription, request: { ...request, resumeAfter: undefined } };
          const key = isShareable(active.subscription) ? this.#describe(active.subscription) : undefined;
          this.#caughtUp.add(active, key);
        },
        onIdle: () => this.#caughtUp.mergeWhenIdle(active),
        onSlowSubscriber: (subscriber) => this.#replayAlone(active, subscriber),
        onEnd: () => {
          this.#caughtUp.delete(active);
          onEnd();
        },
      }),
    };
    return active;
  }

  /** Continues the replay for one client, after the last event that it has received. */
  #replayAlone(active: ActiveSubscription, subscriber: Subscriber): void {
    const request = { ...active.subscription.request, resumeAfter: active.lastCursor };
    try {
      this.#registry.join(
        undefined,
        subscriber,
        (onEnd) => this.#createShared({ ...active.subscription, request }, onEnd),
        (alone) => alone.shared.start(this.#feedOf(alone)),
      );
    } catch (cause) {
      subscriber.onError(this.#toClientError(cause, active));
    }
  }

  #feedOf(active: ActiveSubscription): EventFeed {
    const { upstream } = active;
    return {
      subscribe: (receiver, isBehind) =>
        this.#options.source.subscribe(
          this.#sourceRequest(active, isBehind ? active.lastCursor : undefined),
          this.#trackEvents(active, receiver),
        ),
      complete: (event, signal) => {
        // Without `completionFor`, an event holds exactly the fields of the text it was requested with.
        const { operation } = event.completionFor === undefined ? upstream : active.subscription;
        return active.subscription.complete(event, operation, signal);
      },
      hasDeferredPayloads: () => active.subscription.operation.deferred.length > 0,
    };
  }

  #trackEvents(active: ActiveSubscription, receiver: SourceReceiver): SourceReceiver {
    return {
      ...receiver,
      onEvent: (event) => {
        // Equal clients that resume from now on would lack this event.
        if (active.subscription.request.resumeAfter !== undefined) this.#registry.rekey(active, undefined);
        if (event.failure === undefined) active.lastCursor = event.cursor ?? active.lastCursor;
        receiver.onEvent(event);
      },
    };
  }

  #sourceRequest(
    active: Pick<ActiveSubscription, 'subscription'>,
    resumeAfter: string | undefined,
  ): SourceRequest {
    const { operation, request, requestContext } = active.subscription;
    const { shape } = subscriptionStepOf(operation);
    const variables = serializeVariables(
      { shape, requestContext, contextVariables: undefined },
      (name) => name,
    );
    return {
      subgraph: shape.subgraph,
      query: shape.operationText,
      variables: parseExactJson(`{${variables}}`) as SourceRequest['variables'],
      headers: requestContext.headersFor(shape.subgraph),
      connectionParams: this.#options.connectionParamsFor(shape.subgraph, request),
      requestId: requestContext.requestId,
      traceHeaders: requestContext.traceHeaders,
      // A source lasts as long as the subscription: it must not keep a replaced supergraph in memory.
      currentOperation: () => active.subscription.operation,
      resumeAfter,
    };
  }

  /** Holds everything that can change what a client receives, and when. */
  #describe(subscription: SubscriptionRequest): string {
    const { operation, request, requestContext } = subscription;
    return JSON.stringify([
      operation.supergraph.id,
      textOf(request),
      request.operationName ?? null,
      // With `@override` labels, one text can have several plans.
      operation.program.steps.map(({ shape }) => shape.id),
      // Without `@defer`, payloads are the same in all formats: clients of all transports share one subscription.
      operation.deferred.length === 0 ? null : request.incrementalFormat,
      requestContext.variables,
      operation.access?.key ?? null,
      // With that of the first client, events are executed for all.
      requestContext.preferences.priority,
      request.resumeAfter ?? null,
      this.#partitionOf(operation, subscription),
    ]);
  }

  /** Equal for clients that may get the same data. @throws {GatewayError} for headers that cannot be computed. */
  #partitionOf(operation: PreparedOperation, { request, requestContext }: SubscribedClient): string {
    const { subgraph } = subscriptionStepOf(operation).shape;
    const connectionParams = this.#options.connectionParamsFor(subgraph, request);
    return `${JSON.stringify(connectionParams)} ${partitionKeyOf(operation, requestContext)}`;
  }

  /** `undefined` if the headers of the client cannot be computed. */
  #findPartition(operation: PreparedOperation, client: SubscribedClient): string | undefined {
    try {
      return this.#partitionOf(operation, client);
    } catch {
      return undefined;
    }
  }
}

/** A subscription counts once more for so many characters of its operation and variables, which stay in memory until it
 *  ends. About what any other subscription needs. */
const charactersPerWeight = 20_000;

/** Whether new clients may join. Those that resume do so only before the first event. */
function isShareable({ request }: SubscriptionRequest): boolean {
  return textOf(request) !== undefined && request.resumeAfter === undefined;
}

function textOf({ document }: OperationRequest): string | undefined {
  return document.loc?.source.body;
}

function subscriptionStepOf({ program }: PreparedOperation): FetchStep {
  const [first] = program.steps;
  if (first?.shape.kind !== 'subscription')
    throw new Error('The query plan of a subscription does not begin with a subscription fetch.');
  return first;
}

function idleTimeoutError(timeoutMs: number): GatewayError {
  return new GatewayError(
    'SUBSCRIPTION_IDLE',
    `The subscription had no event for ${timeoutMs} ms and was ended (subscriptions.idleTimeout). Subscribe again when you expect events.`,
  );
}

function supergraphChangedError(): GatewayError {
  return new GatewayError(
    'SUPERGRAPH_CHANGED',
    'The schema changed, and this subscription cannot continue. Subscribe again, with an operation that is valid for the new schema.',
  );
}

function shutdownError(): GatewayError {
  return new GatewayError('SHUTTING_DOWN', 'The gateway is shutting down. Subscribe again.');
}
