/** The same values, each after `inspect` has ended. Not a generator: `return()` of a generator waits for a pending
 *  `next()`. */
export function inspectEach<Value>(
  source: AsyncIterable<Value>,
  inspect: (value: Value) => Promise<void>,
): AsyncIterable<Value> {
  const values = source[Symbol.asyncIterator]();
  const inspected: AsyncIterableIterator<Value> = {
    next: async () => {
      const result = await values.next();
      if (result.done === true) return result;
      try {
        await inspect(result.value);
      } catch (error) {
        await values.return?.();
        throw error;
      }
      return result;
    },
    return: async () => (await values.return?.()) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]: () => inspected,
  };
  return inspected;
}
