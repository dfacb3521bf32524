import { GatewayError } from '../../errors.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
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
  /** The source for all fields that no topic feeds. */
  readonly fallback: SubscriptionSource;
}

interface TopicBinding {
  readonly field: TopicField;
  /** See `SourceRequest`. Read for each event: a new supergraph may have other types and arguments. */
  currentOperation(): PreparedOperation;
}

/** Which events are for a client. */
interface EventSelection {
  readonly operation: TopicOperation;
  readonly matches: EventFilter;
}

/** The source for fields that topics feed. Events of a stream have cursors and can be replayed. */
export class TopicSource implements SubscriptionSource {
  readonly #options: TopicSourceOptions;
  /** Events of another type that were reported: each subscription receives the same object. */
  readonly #reported = new WeakSet<TopicEvent>();

  constructor(options: TopicSourceOptions) {
    this.#options = options;
  }

  /** Refuses an invalid cursor, and any cursor for a field whose events cannot be replayed. */
  validate(request: SourceRequest): GatewayError | undefined {
    const { resumeAfter } = request;
    if (resumeAfter === undefined) return undefined;
    if (this.#bindingOf(request)?.field.stream === undefined) return notResumableError();
    return isStreamId(resumeAfter) ? undefined : invalidCursorError();
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    const binding = this.#bindingOf(request);
    if (binding === undefined) return this.#options.fallback.subscribe(request, receiver);
    const { field } = binding;
    const { hub } = this.#options;
    const readSelection = createSelectionReader(binding, request);
    const accepts = (event: TopicEvent): boolean => this.#accepts(event, field, readSelection());
    // Not at the first event: that one is sent to thousands of subscriptions in one turn of the event loop.
    readSelection();
    const { unsubscribe, flowControl } = hub.subscribe(field, request.resumeAfter, {
      onEvent: (event) => {
        if (accepts(event)) receiver.onEvent(toSourceEvent(event));
      },
      onReplayedEvent: async (event) => {
        if (!accepts(event)) return;
        await new Promise<void>((resolve) => {
          receiver.onEvent({ ...toSourceEvent(event), onConsumed: resolve });
        });
      },
      onCaughtUp: () => receiver.onCaughtUp?.(),
      onGap: () => receiver.onEvent(gapEvent),
    });
    return {
      cancel: unsubscribe,
      flowControl,
      startsImmediately: true,
      onOperationChanged: () => void readSelection(),
    };
  }

  async close(): Promise<void> {
    this.#options.hub.close();
    await this.#options.fallback.close();
  }

  #bindingOf({ currentOperation }: SourceRequest): TopicBinding | undefined {
    if (currentOperation === undefined) return undefined;
    const field = this.#options.fields[TopicOperation.of(currentOperation()).field.coordinate];
    return field === undefined ? undefined : { field, currentOperation };
  }

  #accepts(event: TopicEvent, field: TopicField, { operation, matches }: EventSelection): boolean {
    const { problems } = this.#options;
    const topic = field.stream ?? field.topic ?? '';
    if (!operation.acceptsType(event)) {
      if (this.#reported.has(event)) return false;
      this.#reported.add(event);
      const message = `${event.typename} is not a possible type of ${operation.field.coordinate}`;
      problems.report('event of another type', topic, message, event.id);
      return false;
    }
    if (!matches(event.value)) return false;
    for (const name of operation.fieldsFetchedLater(event.typename))
      if (Object.hasOwn(event.value, name)) problems.reportIgnoredValue(topic, `${event.typename}.${name}`);
    return true;
  }
}

/** Returns a function that reads which events are for the client. Its result is created once for each operation. */
function createSelectionReader(
  { field, currentOperation }: TopicBinding,
  { variables }: SourceRequest,
): () => EventSelection {
  let prepared: PreparedOperation | undefined;
  let selection: EventSelection;
  return () => {
    const current = currentOperation();
    if (current === prepared) return selection;
    prepared = current;
    const operation = TopicOperation.of(current);
    const { apiSchema } = current.supergraph;
    selection = {
      operation,
      matches: createEventFilter(field.filter, operation.field, apiSchema, variables),
    };
    return selection;
  };
}

function toSourceEvent(event: TopicEvent): SourceEvent {
  return {
    data: undefined,
    errors: undefined,
    extensions: undefined,
    size: event.size,
    cursor: event.id,
    completionFor: (operation) => TopicOperation.of(operation).complete(event),
  };
}

const gapEvent: SourceEvent = {
  data: undefined,
  errors: undefined,
  extensions: undefined,
  size: 0,
  failure: new GatewayError(
    'EVENTS_MISSED',
    'Events may be missing here: the stream no longer has all of them. Query the current state; newer events follow.',
  ),
};

function notResumableError(): GatewayError {
  return new GatewayError(
    'BAD_REQUEST',
    'The events of this subscription cannot be replayed. Subscribe without a cursor (`Last-Event-ID`).',
  );
}

function invalidCursorError(): GatewayError {
  return new GatewayError(
    'BAD_REQUEST',
    'The cursor (`Last-Event-ID`) is not the cursor of an event. Subscribe without a cursor, or with the last one that you received.',
  );
}
