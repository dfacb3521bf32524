/** To be called `count` times; the last one calls `done`. */
export function createCountdownLatch(count: number, done: () => void): () => void {
  let left = count;
  if (left === 0) done();
  return () => {
    left -= 1;
    if (left === 0) done();
  };
}
