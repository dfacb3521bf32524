import type { FlowControl } from '../sources/subscriptionSource.ts';
import type { TopicEvent } from './topicEvent.ts';

/** Somebody listens. */
export interface TopicSubscription {
  /** Ends it. */
  unsubscribe(): void;
  /** While it is paused, events wait in their stream. `undefined` where there is none. */
  readonly flowControl?: FlowControl | undefined;
}

/** Who gets the events of a topic, in their order and each once. Nothing is called before subscribing has returned,
 *  nor after it was cancelled. */
export interface TopicListener {
  onEvent(event: TopicEvent): void;
  /** An event from the time before it listened. The next one comes when this has resolved. */
  onReplayedEvent(event: TopicEvent): Promise<void>;
  /** There are no past events any more: from now on it gets what all others get, at the same time. */
  onCaughtUp(): void;
  /** Events may be missing from here on. */
  onGap(): void;
}
