import { randomInt } from 'node:crypto';
import process from 'node:process';
import { isPortFree } from '../../scripts/isPortFree.ts';

const portsPerProcess = 1_000;
let next = randomInt(portsPerProcess);

/** Finds a port of 127.0.0.1 that no other process gets before a server listens on it, or while that server restarts: the
 *  range is below the ephemeral ports and above 10080, which `fetch` refuses, and each test process has its own part of it. A
 *  port is chosen again after 1,000 others. */
export async function freePort(): Promise<number> {
  const first = 11_000 + (Number(process.env.JEST_WORKER_ID ?? 0) % 20) * portsPerProcess;
  for (;;) {
    const port = first + next;
    next = (next + 1) % portsPerProcess;
    if (await isPortFree(port)) return port;
  }
}
