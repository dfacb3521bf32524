/** A gateway that measures its own event loop. Its parent sends `measure` before a request, and `report` to get the
 *  measurements since then. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createGateway } from '../../gateway/gateway.ts';

export interface StallReport {
  /** The longest time between two turns of the event loop, minus the timer's millisecond. */
  readonly stallMs: number;
  /** The most CPU time of the main thread between two turns: the stall without the time of other processes. */
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

/** Linux records the peak resident size of a process, and resets it on request. */
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
    // One more turn, because the longest one may have just ended.
    setTimeout(
      () => process.send?.({ stallMs, stallCpuMs, peakRssMiB: peakRssMiB() } satisfies StallReport),
      5,
    );
  }
});
process.send?.({ url });
