/** A gateway with the options of its first argument, as JSON. Tells its parent its address, and what memory it has when
 *  it is asked. */
import { createGateway } from '../../gateway/gateway.ts';

export interface MemoryReport {
  /** Resident memory in bytes, as it stood. */
  readonly rss: number;
  /** The same, after everything that can be collected was. */
  readonly collectedRss: number;
  readonly collectedHeap: number;
}

const { gc } = globalThis;
if (gc === undefined) throw new Error('Start it with --expose-gc.');
const gateway = await createGateway(JSON.parse(process.argv[2] ?? ''));
const { url } = await gateway.start();

process.on('message', () => {
  const rss = process.memoryUsage.rss();
  // What has ended by the first may be freed by the second only.
  gc();
  gc();
  const { rss: collectedRss, heapUsed: collectedHeap } = process.memoryUsage();
  process.send?.({ rss, collectedRss, collectedHeap } satisfies MemoryReport);
});
process.send?.({ url });
