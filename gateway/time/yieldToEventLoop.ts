/** Resolves in the next turn of the event loop, after what waits for it. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
