import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isPortFree } from '../../scripts/isPortFree.ts';
import { NodeProcess } from './nodeProcess.ts';
import { postJson } from './postJson.ts';
import { exchange, type RawRequest } from './rawHttp.ts';

interface SubgraphStatus {
  readonly name: string;
  readonly url: string;
  readonly state: 'starting' | 'running' | 'down';
  readonly pid: number | null;
  readonly exit: string | null;
  readonly faults: object;
  readonly defaultFaults: object;
  readonly fields: readonly string[];
}

interface DemoReply {
  readonly status: number;
  readonly subgraphs: readonly SubgraphStatus[];
  readonly error?: string;
  readonly deleted?: number;
}

/** Runs `scripts/start.ts` until it ends, with the gateway. */
export function runStart(args: readonly string[]): NodeProcess {
  const script = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url.split('?', 1)[0]));
  return new NodeProcess([script, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
}

/** `npm start` in processes of its own, on free ports. */
export class StartedDemo {
  readonly args: readonly string[];
  readonly firstPort: number;
  readonly shopUrl: string;
  /** The output until the demo is ready. */
  readonly output: string;
  readonly #command: NodeProcess;

  private constructor(firstPort: number, output: string, command: NodeProcess) {
    this.firstPort = firstPort;
    this.args = portArguments(firstPort);
    this.shopUrl = `http://127.0.0.1:${firstPort + 2}`;
    this.output = output;
    this.#command = command;
  }

  static async start(): Promise<StartedDemo> {
    const firstPort = await findFreePorts();
    const command = runStart(portArguments(firstPort));
    await command.printed('stdout', /Ctrl\+C ends everything\./);
    return new StartedDemo(firstPort, command.stdout, command);
  }

  /** `GET` without an action, otherwise `POST`. */
  async control(action = '', body: object = {}): Promise<DemoReply> {
    const response = await fetch(`${this.shopUrl}/demo${action}`, {
      ...(action === '' ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    });
    return { status: response.status, ...((await response.json()) as Omit<DemoReply, 'status'>) };
  }

  async subgraph(name: string): Promise<SubgraphStatus> {
    const found = (await this.control()).subgraphs.find((subgraph) => subgraph.name === name);
    if (found === undefined) throw new Error(`The demo has no subgraph "${name}".`);
    return found;
  }

  /** Sends a request to the shop with exactly these headers. */
  exchange(request: RawRequest) {
    return exchange(this.shopUrl, request);
  }

  async query(query: string, variables: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const response = await postJson(
      `${this.shopUrl}/graphql`,
      { query, variables },
      { accept: 'application/json' },
    );
    return (await response.json()) as Readonly<Record<string, unknown>>;
  }

  /** Kills `scripts/start.ts` with SIGKILL. Resolves when all other processes of the demo have ended as well. */
  async kill(): Promise<void> {
    const { subgraphs } = await this.control();
    this.#command.child.kill('SIGKILL');
    await this.#command.ended;
    for (const { pid } of subgraphs) while (pid !== null && isAlive(pid)) await sleep(5);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function portArguments(first: number): string[] {
  return [
    ['--port', first],
    ['--admin-port', first + 1],
    ['--storefront-port', first + 2],
    ['--subgraph-port', first + 3],
  ].flatMap((option) => option.map(String));
}

/** Finds eight consecutive free ports below the range from which the system selects ports. */
async function findFreePorts(): Promise<number> {
  for (;;) {
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: 8 }, (_, index) => first + index);
    const free = await Promise.all(ports.map(isPortFree));
    if (free.every(Boolean)) return first;
  }
}
