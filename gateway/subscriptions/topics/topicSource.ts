import { GatewayError } from '../../errors.ts';
import { isStreamId } from '../../redis/streamIds.ts';
import type {
  SourceEvent,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from '../sources/subscriptionSource.ts';
import { createEventFilter, type EventFilter } from './eventFilter.ts';
import type { TopicEvent } from './topicEvent.ts';
import type { TopicField, TopicFields } from './topicField.ts';
import type { TopicHub } from './topicHub.ts';
import { TopicOperation } from './topicOperation.ts';
import type { TopicProblemLog } from './topicProblemLog.ts';

interface TopicSourceOptions {
  readonly fields: TopicFields;
  readonly hub: TopicHub;
  readonly problems: TopicProblemLog;
  /** Where all other fields get their events from. */
  readonly fallback: SubscriptionSource;
}

interface TopicBinding {
  readonly field: TopicField;
  readonly operation: TopicOperation;
}

/** Events of fields that are fed by topics. Those of a stream have cursors and can be had again. */
export class TopicSource implements SubscriptionSource {
  readonly #options: TopicSourceOptions;

  constructor(options: TopicSourceOptions) {
    this.#options = options;
  }

  /** A cursor that is none, or one for a field whose events cannot be had again. */
  validate(request: SourceRequest): GatewayError | undefined {
    const { resumeAfter } = request;
    const fed = this.#bindingOf(request);
    if (fed === undefined && resumeAfter === undefined) return this.#options.fallback.validate?.(request);
    if (resumeAfter === undefined) return undefined;
    if (fed?.field.stream === undefined) return notResumableError();
    return isStreamId(resumeAfter) ? undefined : invalidCursorError();
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    const fed = this.#bindingOf(request);
    if (fed === undefined) return this.#options.fallback.subscribe(request, receiver);
    const { field, operation } = fed;
    const { hub } = this.#options;
    const isWanted = this.#createFilter(fed, request);
    const { unsubscribe, flowControl } = hub.subscribe(field, request.resumeAfter, {
      onEvent: (event) => {
        if (isWanted(event)) receiver.onEvent(toSourceEvent(event, operation));
      },
      onReplayedEvent: async (event) => {
        if (!isWanted(event)) return;
        await new Promise<void>((resolve) => {
          receiver.onEvent({ ...toSourceEvent(event, operation), onConsumed: resolve });
        });
      },
      onCaughtUp: () => receiver.onCaughtUp?.(),
      onGap: () => receiver.onEvent(gapEvent),
    });
    return { cancel: unsubscribe, flowControl, startsImmediately: true };
  }

  async close(): Promise<void> {
    this.#options.hub.close();
    await this.#options.fallback.close();
  }

  #bindingOf({ operation: prepared }: SourceRequest): TopicBinding | undefined {
    const operation = prepared === undefined ? undefined : TopicOperation.of(prepared);
    if (operation === undefined) return undefined;
    const { fields } = this.#options;
    const { coordinate } = operation.field;
    const field = Object.hasOwn(fields, coordinate) ? fields[coordinate] : undefined;
    return field === undefined ? undefined : { field, operation };
  }

  #createFilter(
    { field, operation }: TopicBinding,
    { operation: prepared, variables }: SourceRequest,
  ): (event: TopicEvent) => boolean {
    const { problems } = this.#options;
    const schema = prepared?.supergraph.apiSchema;
    const isFor: EventFilter =
      schema === undefined ? () => true : createEventFilter(field.filter, operation.field, schema, variables);
    return (event) => {
      if (operation.acceptsType(event)) return isFor(event.value);
      const topic = field.stream ?? field.topic ?? '';
      const { coordinate } = operation.field;
      problems.report('event of another type', topic, `${coordinate} cannot have a ${event.typename}`);
      return false;
    };
  }
}

function toSourceEvent(event: TopicEvent, subscribed: TopicOperation): SourceEvent {
  return {
    data: undefined,
    errors: undefined,
    extensions: undefined,
    size: event.size,
    cursor: event.id,
    completionFor: (operation) => (TopicOperation.of(operation) ?? subscribed).complete(event),
  };
}

const gapEvent: SourceEvent = {
  data: undefined,
  errors: undefined,
  extensions: undefined,
  size: 0,
  failure: new GatewayError(
    'EVENTS_MISSED',
    'Events may be missing here: the stream does not have all of them any more. Read on what you need by a query; newer events follow.',
  ),
};

function notResumableError(): GatewayError {
  return new GatewayError(
    'BAD_REQUEST',
    'The events of this subscription cannot be had again. Subscribe without a cursor (`Last-Event-ID`).',
  );
}

function invalidCursorError(): GatewayError {
  return new GatewayError(
    'BAD_REQUEST',
    'The cursor (`Last-Event-ID`) is none that an event came with. Subscribe without one, or with the last one you got.',
  );
}
