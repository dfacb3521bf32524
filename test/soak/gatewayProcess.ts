import { fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createGateway, type Gateway, type GatewayOptions } from '../../gateway/gateway.ts';
import { hangLimitMs } from './clients.ts';
import { inspectProcess, type ProcessState } from './inspectProcess.ts';

interface Addresses {
  readonly url: string;
  readonly adminUrl: string;
}

/** A gateway in a process of its own, which reports what it holds. */
export interface SoakedGateway extends Addresses {
  inspect(): Promise<ProcessState>;
  /** Warnings of Node, and the output: the gateway logs errors only. */
  readonly complaints: string[];
  /** How the process ended; undefined while it runs. */
  readonly exit: string | undefined;
  /** Closes the gateway. Resolves when the process has ended by itself; one that does not is killed after a long time. */
  close(): Promise<void>;
  kill(): void;
}

/** @throws {Error} with the output if the gateway does not start. */
export async function startSoakedGateway(options: GatewayOptions): Promise<SoakedGateway> {
  const child = fork(import.meta.filename, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const complaints: string[] = [];
  let exit: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => complaints.push(...text.trim().split('\n')));
  }
  const ended = once(child, 'close').then(([code, signal]) => {
    exit = signal ?? `exit code ${code}`;
  });
  async function request<T>(name: string, parameter?: unknown): Promise<T> {
    child.send({ name, parameter });
    const [reply] = (await Promise.race([once(child, 'message'), ended])) ?? [];
    if (exit !== undefined) throw new Error(`The gateway ended with ${exit}:\n${complaints.join('\n')}`);
    return reply as T;
  }
  return {
    ...(await request<Addresses>('start', options)),
    inspect: () => request('inspect'),
    complaints,
    get exit() {
      return exit;
    },
    async close() {
      child.send({ name: 'close' });
      const timer = setTimeout(() => child.kill('SIGKILL'), hangLimitMs);
      await ended;
      clearTimeout(timer);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Serves the requests of the process that started this one. */
function serve(): void {
  let gateway: Gateway | undefined;
  // The process that started this one has ended, perhaps without `close`.
  const onDisconnect = (): void => process.exit(1);
  process.on('disconnect', onDisconnect);
  const replies: Record<string, (parameter: never) => Promise<unknown>> = {
    async start(options: GatewayOptions): Promise<Addresses> {
      gateway = await createGateway(options);
      const addresses = await gateway.start();
      await gateway.ready;
      return addresses;
    },
    inspect: inspectProcess,
    async close() {
      await gateway?.close();
      process.off('disconnect', onDisconnect);
      process.disconnect?.();
    },
  };
  process.on('message', async ({ name, parameter }: { name: string; parameter: never }) => {
    const reply = await replies[name]?.(parameter);
    if (process.connected) process.send?.(reply);
  });
}

if (import.meta.main) serve();
