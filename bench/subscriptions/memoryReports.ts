export interface MemoryReport {
  /** Resident memory in bytes, without a garbage collection before. */
  readonly rss: number;
  /** Resident memory in bytes, after a complete garbage collection. */
  readonly collectedRss: number;
  readonly collectedHeap: number;
}

/** Replies to `'memory'` from the parent of this process, which must run with `--expose-gc`. */
export function reportMemory(): void {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('Start this process with --expose-gc.');
  process.on('message', (message) => {
    if (message !== 'memory') return;
    const rss = process.memoryUsage.rss();
    // The second collection may free what finalizers of the first one released.
    gc();
    gc();
    const { rss: collectedRss, heapUsed: collectedHeap } = process.memoryUsage();
    process.send?.({ rss, collectedRss, collectedHeap } satisfies MemoryReport);
  });
}
