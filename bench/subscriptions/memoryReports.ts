export interface MemoryReport {
  /** Resident memory in bytes, as it stood. */
  readonly rss: number;
  /** The same, after everything that can be collected was. */
  readonly collectedRss: number;
  readonly collectedHeap: number;
}

/** Answers `'memory'` from the parent of this process, which was started with `--expose-gc`. */
export function reportMemory(): void {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('Start it with --expose-gc.');
  process.on('message', (message) => {
    if (message !== 'memory') return;
    const rss = process.memoryUsage.rss();
    // What has ended by the first may be freed by the second only.
    gc();
    gc();
    const { rss: collectedRss, heapUsed: collectedHeap } = process.memoryUsage();
    process.send?.({ rss, collectedRss, collectedHeap } satisfies MemoryReport);
  });
}
