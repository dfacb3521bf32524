/** Sends events to its current subscribers. */
export interface Topic<Event> {
  publish(event: Event): void;
  /** Yields every wanted event from now on, in order. Ends when the reader returns or the signal aborts. */
  subscribe(signal: AbortSignal, isWanted: (event: Event) => boolean): AsyncIterableIterator<Event>;
  readonly subscriberCount: number;
}

interface Subscriber<Event> {
  readonly isWanted: (event: Event) => boolean;
  readonly waitingEvents: Event[];
  wake: (() => void) | null;
}

export function createTopic<Event>(): Topic<Event> {
  const subscribers = new Set<Subscriber<Event>>();

  function subscribe(signal: AbortSignal, isWanted: (event: Event) => boolean): AsyncIterableIterator<Event> {
    const subscriber: Subscriber<Event> = { isWanted, waitingEvents: [], wake: null };
    // Subscribes now and not at the first `next()`, since an event between the two would be lost.
    subscribers.add(subscriber);
    let isOver = false;

    function end(): void {
      isOver = true;
      subscribers.delete(subscriber);
      signal.removeEventListener('abort', end);
      subscriber.wake?.();
    }
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);

    return {
      async next(): Promise<IteratorResult<Event>> {
        while (!isOver) {
          if (subscriber.waitingEvents.length > 0) {
            return { done: false, value: subscriber.waitingEvents.shift() as Event };
          }
          await new Promise<void>((resolve) => {
            subscriber.wake = resolve;
          });
        }
        return { done: true, value: undefined };
      },
      async return(): Promise<IteratorResult<Event>> {
        end();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  return {
    subscribe,
    publish(event) {
      for (const subscriber of subscribers) {
        if (!subscriber.isWanted(event)) continue;
        subscriber.waitingEvents.push(event);
        subscriber.wake?.();
      }
    },
    get subscriberCount() {
      return subscribers.size;
    },
  };
}
