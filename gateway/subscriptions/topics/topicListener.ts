import type { FlowControl } from '../sources/subscriptionSource.ts';
import type { TopicEvent } from './topicEvent.ts';

/** A listener that is subscribed to a topic. */
export interface TopicSubscription {
  unsubscribe(): void;
  /** While paused, events wait in their stream. `undefined` for a topic that is not a stream. */
  readonly flowControl?: FlowControl | undefined;
}

/** Receives the events of a topic in order, each once. No method is called before `subscribe` has returned or after
 *  `unsubscribe`. */
export interface TopicListener {
  onEvent(event: TopicEvent): void;
  /** Receives a past event. The next one is sent when the promise has resolved. */
  onReplayedEvent(event: TopicEvent): Promise<void>;
  /** All past events were replayed. From now on the listener gets the same events as all live ones, at the same time. */
  onCaughtUp(): void;
  /** Events may be missing between the previous and the next one. */
  onGap(): void;
}
