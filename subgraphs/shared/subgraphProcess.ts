import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { RequestError } from './readJsonBody.ts';

interface SubgraphProcessOptions {
  readonly name: string;
  /** The file that serves the subgraph, with `runSubgraph`. */
  readonly file: string;
  readonly host: string;
  /** 0 selects any free port at the first start. Later starts use the same port. */
  readonly port: number;
  /** The faults at each start, as text for `parseFaults`. */
  readonly faults: string;
}

type ProcessState = 'starting' | 'running' | 'down';

/** How long a process may take to start, and to stop by itself after SIGTERM. */
const startTimeoutMs = 30_000;
const stopTimeoutMs = 2000;

/** One subgraph in a process of its own, which can be killed and started again. It ends with this process, even if this
 *  process is killed: its IPC channel closes then. */
export class SubgraphProcess {
  readonly name: string;
  readonly #options: SubgraphProcessOptions;
  #child: ChildProcess | null = null;
  /** Resolves when the newest process has ended. */
  #ended: Promise<void> = Promise.resolve();
  #state: ProcessState = 'down';
  #exit: string | null = null;
  #url: string;

  constructor(options: SubgraphProcessOptions) {
    this.name = options.name;
    this.#options = options;
    this.#url = `http://${options.host}:${options.port}/graphql`;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** The GraphQL endpoint. */
  get url(): string {
    return this.#url;
  }

  get pid(): number | null {
    return this.#state === 'running' ? (this.#child?.pid ?? null) : null;
  }

  /** How the process ended, such as `SIGKILL` or `exit code 1`; null while it runs. */
  get exit(): string | null {
    return this.#exit;
  }

  /** Resolves when the subgraph serves. @throws {RequestError} with 409 if it is not down, or with 503 and the reason if
   *  it does not start. */
  async start(): Promise<void> {
    if (this.#state !== 'down')
      throw new RequestError(409, `Subgraph "${this.name}" is ${this.#state} already.`);
    this.#state = 'starting';
    this.#exit = null;
    const { file, host, faults } = this.#options;
    const { port } = new URL(this.#url);
    const child = spawn(process.execPath, [file], {
      env: { ...process.env, HOST: host, PORT: port === '' ? '80' : port, FAULTS: faults },
      // A process group of its own: Ctrl+C reaches this process only, which then stops the parts in order.
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      if (this.#state === 'starting') complaint += chunk;
      else process.stderr.write(chunk);
    });
    const address = Promise.withResolvers<string | null>();
    this.#ended = new Promise((resolve) => {
      const end = (exit: string): void => {
        this.#state = 'down';
        this.#exit = exit;
        address.resolve(null);
        resolve();
      };
      child.once('close', (code, signal) => end(signal ?? `exit code ${code}`));
      // Without a process id, the process was never created and emits no `close`.
      child.on('error', ({ message }) => {
        if (child.pid === undefined) end(message);
      });
    });
    if (child.stdout !== null) createInterface(child.stdout).once('line', address.resolve);
    const patience = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs);
    const line = await address.promise;
    clearTimeout(patience);
    if (line === null) {
      const reason = complaint.trim() || `it ended with ${this.#exit}`;
      throw new RequestError(503, `Subgraph "${this.name}" did not start: ${reason}`);
    }
    this.#url = line.split(/\s+/).at(-1) ?? this.#url;
    this.#state = 'running';
  }

  /** Kills the process with SIGKILL. @throws {RequestError} with 409 if it does not run. */
  async kill(): Promise<void> {
    if (this.#state !== 'running') throw new RequestError(409, `Subgraph "${this.name}" is ${this.#state}.`);
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Ends the process, if it runs. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    const patience = setTimeout(() => this.#child?.kill('SIGKILL'), stopTimeoutMs);
    await this.#ended;
    clearTimeout(patience);
  }
}
