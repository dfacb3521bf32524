import { GatewayError } from '../errors.ts';
import { serializeVariables } from '../execution/fetchCall.ts';
import type { FetchStep } from '../execution/program.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SubscriptionOutcome, SubscriptionPayload } from '../response/executionOutcome.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Timers } from '../time/timers.ts';
import { CaughtUpSubscriptions } from './caughtUpSubscriptions.ts';
import type { EventQueueOptions } from './eventQueue.ts';
import { IdleTimer } from './idleTimer.ts';
import { SharedSubscription } from './sharedSubscription.ts';
import type {
  SourceEvent,
  SourceReceiver,
  SourceRequest,
  SubscriptionSource,
} from './sources/subscriptionSource.ts';
import { SubscriberQueue } from './subscriberQueue.ts';
import { SubscriptionRegistry } from './subscriptionRegistry.ts';
import { type ReprepareOperation, SubscriptionReplanner } from './subscriptionReplanner.ts';
import type { EventFeed } from './upstreamSubscription.ts';

export interface SubscriptionManagerOptions {
  readonly source: SubscriptionSource;
  readonly queue: EventQueueOptions;
  readonly reportsInterruptions: boolean;
  /** What clients are told of an error with which a subgraph has ended a subscription. Asked once for each. */
  toClientError(error: GatewayError): GatewayError;
  /** See `FeatureContext.openStream`. */
  openStream(clientKey: string): () => void;
  /** Parameters of the client's connection that travel to a subgraph. */
  connectionParamsFor(subgraph: string, request: OperationRequest): Readonly<Record<string, unknown>>;
  /** Milliseconds without an event after which a client's subscription ends; 0 for no limit. */
  readonly idleTimeoutMs: number;
  readonly timers: Timers;
}

/** One client's subscription, prepared. */
interface SubscriptionRequest {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly requestContext: RequestContext;
  /** Completes an event by the operation that it is for then: its payloads. */
  complete(
    event: SourceEvent,
    operation: PreparedOperation,
    signal: AbortSignal,
  ): AsyncIterable<SubscriptionPayload>;
}

/** A subscription under way; another supergraph brings another operation. */
interface ActiveSubscription {
  readonly shared: SharedSubscription;
  subscription: SubscriptionRequest;
  /** What the subgraph is asked for. */
  upstream: UpstreamOperation;
  /** Of the last event that has one; at first, what the client came with. */
  lastCursor: string | undefined;
}

/** The same text for a subgraph, in the plan of whichever supergraph. */
interface UpstreamOperation {
  operation: PreparedOperation;
}

/** Serves subscriptions: those that are equal share one at the subgraph, and everything that comes of it. */
export class SubscriptionManager {
  readonly #options: SubscriptionManagerOptions;
  readonly #registry = new SubscriptionRegistry<ActiveSubscription>();
  readonly #caughtUp: CaughtUpSubscriptions<ActiveSubscription>;
  #droppedEventCount = 0;
  readonly #replanner: SubscriptionReplanner<ActiveSubscription>;

  constructor(options: SubscriptionManagerOptions) {
    this.#options = options;
    this.#caughtUp = new CaughtUpSubscriptions({
      keyOf: ({ subscription }) => this.#keyOf(subscription),
      registry: this.#registry,
    });
    this.#replanner = new SubscriptionReplanner({
      timers: options.timers,
      listActive: () => this.#registry.list(),
      onReplanned: (live, operation) => this.#switchOperation(live, operation),
      onInvalid: ({ shared }) => shared.fail(supergraphChangedError()),
    });
  }

  /** Errors: `GatewayError` `OVERLOADED`, and what the source refuses. */
  subscribe(subscription: SubscriptionRequest): SubscriptionOutcome {
    const { queue, source, openStream, idleTimeoutMs, timers, reportsInterruptions } = this.#options;
    const refusal = source.validate?.(this.#sourceRequest(subscription, subscription.request.resumeAfter));
    if (refusal !== undefined) throw refusal;
    const closeStream = openStream(subscription.requestContext.clientKey);
    const { signal } = subscription.request;
    let leave: (() => void) | undefined;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      closeStream();
      idle.stop();
      signal.removeEventListener('abort', abort);
      leave?.();
    };
    const subscriber = new SubscriberQueue({
      queue,
      reportsDroppedEvents: reportsInterruptions,
      onDropped: () => this.#countDroppedEvent(),
      onEnd: end,
    });
    const idle = new IdleTimer({
      timers,
      timeoutMs: idleTimeoutMs,
      onIdle: () => {
        subscriber.onError(idleTimeoutError(idleTimeoutMs));
        end();
      },
    });
    const abort = (): void => subscriber.unsubscribe();
    signal.addEventListener('abort', abort, { once: true });
    try {
      leave = this.#registry.join(
        this.#keyOf(subscription),
        {
          onPayload: (payload, sent) => {
            idle.restart();
            subscriber.onPayload(payload, sent);
          },
          waitForRoom: () => subscriber.waitForRoom(),
          waitForDrain: () => subscriber.waitForDrain(),
          onComplete: () => {
            subscriber.onComplete();
            end();
          },
          onError: (error) => {
            subscriber.onError(error);
            end();
          },
        },
        (onEnd) => this.#createShared(subscription, onEnd),
        (live) => live.shared.start(this.#feedOf(live)),
      );
    } catch (error) {
      end();
      throw error;
    }
    if (isOver) leave();
    else this.#replanner.replanIfOutdated({ subscription });
    return { kind: 'subscription', events: subscriber.events() };
  }

  /** Goes on with another supergraph. `prepare` gives the operation for it, or `undefined` where it is not valid any
   *  more: that subscription ends. One that the subgraph must be asked otherwise for is subscribed anew. Where planning
   *  fails for the moment, it goes on as it was, and is planned later. */
  replan(supergraph: Supergraph, prepare: ReprepareOperation): Promise<void> {
    return this.#replanner.replanAll(supergraph, prepare);
  }

  #switchOperation(live: ActiveSubscription, operation: PreparedOperation): void {
    if (live.shared.subscriberCount === 0) return;
    live.subscription = { ...live.subscription, operation };
    this.#registry.rekey(live, this.#keyOf(live.subscription));
    const [old, next] = [live.upstream.operation, operation].map((one) => subscriptionStepOf(one).shape);
    if (old?.subgraph === next?.subgraph && old?.operationText === next?.operationText) {
      live.upstream.operation = operation;
      return;
    }
    live.upstream = { operation };
    try {
      live.shared.resubscribe(this.#feedOf(live));
    } catch (cause) {
      live.shared.fail(new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause }));
    }
  }

  /** Events for which there was no room: before they were completed, or for one client. */
  get droppedEventCount(): number {
    return this.#droppedEventCount;
  }

  #countDroppedEvent(): void {
    this.#droppedEventCount += 1;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#replanner.close();
    for (const { shared } of this.#registry.list()) shared.fail(shutdownError());
    await this.#options.source.close();
  }

  #createShared(subscription: SubscriptionRequest, onEnd: () => void): ActiveSubscription {
    const { queue, reportsInterruptions, toClientError } = this.#options;
    const { resumeAfter } = subscription.request;
    const live: ActiveSubscription = {
      subscription,
      upstream: { operation: subscription.operation },
      lastCursor: resumeAfter,
      shared: new SharedSubscription({
        queue,
        reportsInterruptions,
        toClientError,
        isBehind: resumeAfter !== undefined,
        onDropped: () => this.#countDroppedEvent(),
        onCaughtUp: () => {
          const { request } = live.subscription;
          live.subscription = { ...live.subscription, request: { ...request, resumeAfter: undefined } };
          this.#caughtUp.add(live);
        },
        onIdle: () => this.#caughtUp.mergeWhenIdle(live),
        onEnd: () => {
          this.#caughtUp.delete(live);
          onEnd();
        },
      }),
    };
    return live;
  }

  #feedOf(live: ActiveSubscription): EventFeed {
    const { upstream } = live;
    return {
      subscribe: (receiver, isBehind) =>
        this.#options.source.subscribe(
          this.#sourceRequest(live.subscription, isBehind ? live.lastCursor : undefined),
          trackCursor(live, receiver),
        ),
      complete: (event, signal) => {
        // Others have what this text has asked for, and nothing else.
        const { operation } = event.completionFor === undefined ? upstream : live.subscription;
        return live.subscription.complete(event, operation, signal);
      },
    };
  }

  #sourceRequest(
    { operation, request, requestContext }: SubscriptionRequest,
    resumeAfter: string | undefined,
  ): SourceRequest {
    const { shape } = subscriptionStepOf(operation);
    const variables = serializeVariables(
      { shape, requestContext, contextVariables: undefined },
      (name) => name,
    );
    return {
      subgraph: shape.subgraph,
      query: shape.operationText,
      variables: JSON.parse(`{${variables}}`),
      headers: requestContext.headersFor(shape.subgraph),
      connectionParams: this.#options.connectionParamsFor(shape.subgraph, request),
      requestId: requestContext.requestId,
      traceparent: requestContext.traceparent,
      operation,
      resumeAfter,
    };
  }

  /** Everything that may change what a client gets. */
  #keyOf({ operation, request, requestContext }: SubscriptionRequest): string | undefined {
    const text = request.document.loc?.source.body;
    // The past is for this client alone.
    if (text === undefined || request.resumeAfter !== undefined) return undefined;
    const shapes = operation.program.steps.map(({ shape }) => shape);
    const subgraphs = [...new Set(shapes.map(({ subgraph }) => subgraph))].sort();
    return JSON.stringify([
      operation.supergraph.id,
      text,
      request.operationName ?? null,
      // By labels of `@override` one text may have several plans.
      shapes.map(({ id }) => id),
      request.incrementalFormat ?? null,
      requestContext.variables,
      requestContext.identity ?? null,
      requestContext.sharingKey,
      subgraphs.map((subgraph) => [subgraph, requestContext.headersFor(subgraph).key]),
      this.#options.connectionParamsFor(subscriptionStepOf(operation).shape.subgraph, request),
    ]);
  }
}

function trackCursor(live: ActiveSubscription, receiver: SourceReceiver): SourceReceiver {
  return {
    ...receiver,
    onEvent: (event) => {
      if (event.failure === undefined) live.lastCursor = event.cursor ?? live.lastCursor;
      receiver.onEvent(event);
    },
  };
}

function subscriptionStepOf({ program }: PreparedOperation): FetchStep {
  const [first] = program.steps;
  if (first?.shape.kind !== 'subscription')
    throw new Error('The plan of a subscription begins with something else.');
  return first;
}

function idleTimeoutError(timeoutMs: number): GatewayError {
  return new GatewayError(
    'SUBSCRIPTION_IDLE',
    `There was no event for ${timeoutMs} ms, the most that this gateway waits (subscriptions.idleTimeout). Subscribe again when you expect one.`,
  );
}

function supergraphChangedError(): GatewayError {
  return new GatewayError(
    'SUPERGRAPH_CHANGED',
    'The schema has changed, and this subscription is not valid any more. Subscribe with an operation for the new one.',
  );
}

function shutdownError(): GatewayError {
  return new GatewayError('REQUEST_ABORTED', 'The gateway is shutting down. Subscribe again.');
}
