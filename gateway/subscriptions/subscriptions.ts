import { GatewayError } from '../errors.ts';
import { variablesText } from '../execution/fetchCall.ts';
import type { FetchStep } from '../execution/program.ts';
import type { RequestScope } from '../execution/requestScope.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { OperationRequest } from '../operation/request.ts';
import type { SubscriptionOutcome, SubscriptionPayload } from '../response/outcome.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Timers } from '../time/timers.ts';
import type { EventQueueOptions } from './eventQueue.ts';
import { IdleTimer } from './idleTimer.ts';
import { type PrepareAgain, Replanning } from './replanning.ts';
import { ResumedRuns } from './resumedRuns.ts';
import type { Feed } from './runSource.ts';
import type {
  SourceEvent,
  SourceReceiver,
  SourceRequest,
  SubscriptionSource,
} from './sources/subscriptionSource.ts';
import { SubscriberQueue } from './subscriberQueue.ts';
import { SubscriptionRun } from './subscriptionRun.ts';
import { SubscriptionRuns } from './subscriptionRuns.ts';

export interface SubscriptionsOptions {
  readonly source: SubscriptionSource;
  readonly queue: EventQueueOptions;
  readonly tellsInterruptions: boolean;
  /** What clients are told of an error with which a subgraph has ended a subscription. Asked once for each. */
  tellError(error: GatewayError): GatewayError;
  /** Counts a client's stream; returns what ends it. Errors: `GatewayError` `OVERLOADED`. */
  openStream(request: OperationRequest): () => void;
  /** Parameters of the client's connection that travel to a subgraph. */
  connectionParamsFor(subgraph: string, request: OperationRequest): Readonly<Record<string, unknown>>;
  /** Milliseconds without an event after which a client's subscription ends; 0 for no limit. */
  readonly idleTimeoutMs: number;
  readonly timers: Timers;
}

/** One client's subscription, prepared. */
export interface SubscriptionRequest {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly scope: RequestScope;
  /** Completes an event by the operation that it is for then: its payloads. */
  complete(
    event: SourceEvent,
    operation: PreparedOperation,
    signal: AbortSignal,
  ): AsyncIterable<SubscriptionPayload>;
}

/** A subscription under way; another supergraph brings another operation. */
interface Live {
  readonly run: SubscriptionRun;
  subscription: SubscriptionRequest;
  /** What the subgraph is asked for. */
  asked: Asked;
  /** Of the last event that has one; at first, what the client came with. */
  lastCursor: string | undefined;
}

/** The same text for a subgraph, in the plan of whichever supergraph. */
interface Asked {
  operation: PreparedOperation;
}

/** Serves subscriptions: those that are equal share one at the subgraph, and everything that comes of it. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #runs = new SubscriptionRuns<Live>();
  readonly #resumed: ResumedRuns<Live>;
  #dropped = 0;
  readonly #replanning: Replanning<Live>;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#resumed = new ResumedRuns({
      keyOf: ({ subscription }) => this.#keyOf(subscription),
      runs: this.#runs,
    });
    this.#replanning = new Replanning({
      timers: options.timers,
      all: () => this.#runs.all(),
      goOn: (live, operation) => this.#goOn(live, operation),
      refuse: ({ run }) => run.fail(supergraphChanged()),
    });
  }

  /** Errors: `GatewayError` `OVERLOADED`, and what the source refuses. */
  respond(subscription: SubscriptionRequest): SubscriptionOutcome {
    const { queue, source, openStream, idleTimeoutMs, timers, tellsInterruptions } = this.#options;
    const refusal = source.refusalOf?.(this.#sourceRequest(subscription, subscription.request.resumeAfter));
    if (refusal !== undefined) throw refusal;
    const closeStream = openStream(subscription.request);
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
      tellsDropped: tellsInterruptions,
      onDropped: () => this.#noteDropped(),
      onEnd: end,
    });
    const idle = new IdleTimer({
      timers,
      timeoutMs: idleTimeoutMs,
      onIdle: () => {
        subscriber.onError(wasIdle(idleTimeoutMs));
        end();
      },
    });
    const abort = (): void => subscriber.leave();
    signal.addEventListener('abort', abort, { once: true });
    try {
      leave = this.#runs.join(
        this.#keyOf(subscription),
        {
          onPayload: (payload, sent) => {
            idle.restart();
            subscriber.onPayload(payload, sent);
          },
          whenRoom: () => subscriber.whenRoom(),
          whenTaken: () => subscriber.whenTaken(),
          onComplete: () => {
            subscriber.onComplete();
            end();
          },
          onError: (error) => {
            subscriber.onError(error);
            end();
          },
        },
        (onEnd) => this.#createRun(subscription, onEnd),
        (live) => live.run.start(this.#feedOf(live)),
      );
    } catch (error) {
      end();
      throw error;
    }
    if (isOver) leave();
    else this.#replanning.admit({ subscription });
    return { kind: 'subscription', events: subscriber.events() };
  }

  /** Goes on with another supergraph. `prepare` gives the operation for it, or `undefined` where it is not valid any
   *  more: that subscription ends. One that the subgraph must be asked otherwise for is subscribed anew. Where planning
   *  fails for the moment, it goes on as it was, and is planned later. */
  replan(supergraph: Supergraph, prepare: PrepareAgain): Promise<void> {
    return this.#replanning.use(supergraph, prepare);
  }

  #goOn(live: Live, operation: PreparedOperation): void {
    if (live.run.size === 0) return;
    live.subscription = { ...live.subscription, operation };
    this.#runs.rename(live, this.#keyOf(live.subscription));
    const [old, next] = [live.asked.operation, operation].map((one) => firstStep(one).shape);
    if (old?.subgraph === next?.subgraph && old?.text === next?.text) {
      live.asked.operation = operation;
      return;
    }
    live.asked = { operation };
    try {
      live.run.resubscribe(this.#feedOf(live));
    } catch (cause) {
      live.run.fail(new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause }));
    }
  }

  /** Events for which there was no room: before they were completed, or for one client. */
  get dropped(): number {
    return this.#dropped;
  }

  #noteDropped(): void {
    this.#dropped += 1;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#replanning.close();
    for (const { run } of this.#runs.all()) run.fail(goingAway());
    await this.#options.source.close();
  }

  #createRun(subscription: SubscriptionRequest, onEnd: () => void): Live {
    const { queue, tellsInterruptions, tellError } = this.#options;
    const { resumeAfter } = subscription.request;
    const live: Live = {
      subscription,
      asked: { operation: subscription.operation },
      lastCursor: resumeAfter,
      run: new SubscriptionRun({
        queue,
        tellsInterruptions,
        tellError,
        isBehind: resumeAfter !== undefined,
        onDropped: () => this.#noteDropped(),
        onCaughtUp: () => {
          const { request } = live.subscription;
          live.subscription = { ...live.subscription, request: { ...request, resumeAfter: undefined } };
          this.#resumed.add(live);
        },
        onIdle: () => this.#resumed.share(live),
        onEnd: () => {
          this.#resumed.delete(live);
          onEnd();
        },
      }),
    };
    return live;
  }

  #feedOf(live: Live): Feed {
    const { asked } = live;
    return {
      subscribe: (receiver, isBehind) =>
        this.#options.source.subscribe(
          this.#sourceRequest(live.subscription, isBehind ? live.lastCursor : undefined),
          noting(live, receiver),
        ),
      complete: (event, signal) => {
        // Others have what this text has asked for, and nothing else.
        const { operation } = event.completionFor === undefined ? asked : live.subscription;
        return live.subscription.complete(event, operation, signal);
      },
    };
  }

  #sourceRequest(
    { operation, request, scope }: SubscriptionRequest,
    resumeAfter: string | undefined,
  ): SourceRequest {
    const { shape } = firstStep(operation);
    const variables = variablesText({ shape, scope, contextVariables: undefined }, (name) => name);
    return {
      subgraph: shape.subgraph,
      query: shape.text,
      variables: JSON.parse(`{${variables}}`),
      headers: scope.headersFor(shape.subgraph),
      connectionParams: this.#options.connectionParamsFor(shape.subgraph, request),
      requestId: scope.requestId,
      traceparent: scope.traceparent,
      operation,
      resumeAfter,
    };
  }

  /** Everything that may change what a client gets. */
  #keyOf({ operation, request, scope }: SubscriptionRequest): string | undefined {
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
      request.incremental ?? null,
      scope.variables,
      scope.identity ?? null,
      subgraphs.map((subgraph) => [subgraph, scope.headersFor(subgraph).key]),
      this.#options.connectionParamsFor(firstStep(operation).shape.subgraph, request),
    ]);
  }
}

function noting(live: Live, receiver: SourceReceiver): SourceReceiver {
  return {
    ...receiver,
    onEvent: (event) => {
      if (event.failure === undefined) live.lastCursor = event.cursor ?? live.lastCursor;
      receiver.onEvent(event);
    },
  };
}

function firstStep({ program }: PreparedOperation): FetchStep {
  const [first] = program.steps;
  if (first?.shape.kind !== 'subscription')
    throw new Error('The plan of a subscription begins with something else.');
  return first;
}

function wasIdle(timeoutMs: number): GatewayError {
  return new GatewayError(
    'SUBSCRIPTION_IDLE',
    `There was no event for ${timeoutMs} ms, the most that this gateway waits (subscriptions.idleTimeout). Subscribe again when you expect one.`,
  );
}

function supergraphChanged(): GatewayError {
  return new GatewayError(
    'SUPERGRAPH_CHANGED',
    'The schema has changed, and this subscription is not valid any more. Subscribe with an operation for the new one.',
  );
}

function goingAway(): GatewayError {
  return new GatewayError('REQUEST_ABORTED', 'The gateway is shutting down. Subscribe again.');
}
