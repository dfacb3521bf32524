/** Returns a function whose `count`th call calls `done`. With a count of 0, `done` is called at once. */
export function createCountdownLatch(count: number, done: () => void): () => void {
  let remaining = count;
  if (remaining === 0) done();
  return () => {
    remaining -= 1;
    if (remaining === 0) done();
  };
}
