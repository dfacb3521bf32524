import { isMalformed, parseTopicEvent } from './topicEvent.ts';
import type { TopicListener, TopicSubscription } from './topicListener.ts';

/** Topics of this process. */
export class TopicBus {
  readonly #listeners = new Map<string, Set<TopicListener>>();

  /** Gives an event to all who listen at this moment. `data`: an object with `__typename`, the fields of a key, and
   *  whatever else it has, by the names of the schema; it is copied as JSON. Errors: `TypeError` for what is no event. */
  publish(topic: string, data: unknown): void {
    const event = parseTopicEvent(JSON.stringify(data) ?? 'null', undefined, Number.POSITIVE_INFINITY);
    if (isMalformed(event))
      throw new TypeError(`An event for ${topic} cannot be published: ${event.reason}.`);
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener.onEvent(event);
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
