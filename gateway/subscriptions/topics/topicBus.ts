import { isMalformed, parseTopicEvent } from './topicEvent.ts';
import type { TopicListener, TopicSubscription } from './topicListener.ts';

/** The topics that `gateway.publish` publishes to, within this process. */
export class TopicBus {
  readonly #listeners = new Map<string, Set<TopicListener>>();

  /** Sends an event to all current listeners. `data`: an object with `__typename`, the fields of a key and any other
   *  fields, with the names of the schema. It is copied as JSON.
   *  @throws {TypeError} if `data` is not a valid event. */
  publish(topic: string, data: unknown): void {
    const event = parseTopicEvent(JSON.stringify(data) ?? 'null', undefined, Number.POSITIVE_INFINITY);
    if (isMalformed(event))
      throw new TypeError(`The event for topic "${topic}" cannot be published: ${event.reason}.`);
    const listeners = this.#listeners.get(topic) ?? new Set();
    for (const listener of [...listeners]) if (listeners.has(listener)) listener.onEvent(event);
  }

  subscribe(topic: string, listener: TopicListener): TopicSubscription {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    const leave = (): void => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
    return { unsubscribe: leave };
  }
}
