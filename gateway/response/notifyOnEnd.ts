/** Returns the same events, and calls `onEnd` when they end, fail or the consumer stops. `onEnd` may be called twice. */
export function notifyOnEnd<Event>(
  events: AsyncIterable<Event>,
  onEnd: (error?: unknown) => void,
): AsyncIterable<Event> {
  const iterator = events[Symbol.asyncIterator]();
  const observed: AsyncIterableIterator<Event> = {
    next: async () => {
      try {
        const step = await iterator.next();
        if (step.done === true) onEnd();
        return step;
      } catch (error) {
        onEnd(error);
        throw error;
      }
    },
    return: async () => {
      onEnd();
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => observed,
  };
  return observed;
}
