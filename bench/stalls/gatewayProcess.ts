/** A gateway that watches its own event loop. Its parent sends `measure` before a request and gets what was seen
 *  since then when it sends `report`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createGateway } from '../../gateway/gateway.ts';

export interface StallReport {
  /** Longest time between two turns, less the timer's millisecond. */
  readonly stallMs: number;
  /** Most CPU time of the main thread between two turns: the stall without what other processes took. */
  readonly stallCpuMs: number;
  readonly peakRssMiB: number;
}

const [supergraphFile, itemsUrl, pricesUrl] = process.argv.slice(2) as [string, string, string];

const gateway = await createGateway({
  listen: { port: 0 },
  admin: { port: 0 },
  supergraph: { file: supergraphFile, watch: false },
  subgraphs: { items: { url: itemsUrl }, prices: { url: pricesUrl } },
  telemetry: { logLevel: 'silent' },
});
const { url } = await gateway.start();

let stallMs = 0;
let stallCpuMs = 0;
let turnedAt = performance.now();
let cpuAt = cpuMs();

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

setInterval(() => {
  const now = performance.now();
  const cpu = cpuMs();
  stallMs = Math.max(stallMs, now - turnedAt - 1);
  stallCpuMs = Math.max(stallCpuMs, cpu - cpuAt);
  turnedAt = now;
  cpuAt = cpu;
}, 1);

/** Linux keeps the highest resident size of a process, and forgets it when it is told to. */
function peakRssMiB(): number {
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(peak) / 1024;
}

process.on('message', (message) => {
  if (message === 'measure') {
    stallMs = 0;
    stallCpuMs = 0;
    turnedAt = performance.now();
    cpuAt = cpuMs();
    writeFileSync('/proc/self/clear_refs', '5');
    process.send?.('measuring');
  } else if (message === 'report') {
    // One turn more: the longest may be the one that has just ended.
    setTimeout(
      () => process.send?.({ stallMs, stallCpuMs, peakRssMiB: peakRssMiB() } satisfies StallReport),
      5,
    );
  }
});
process.send?.({ url });
