import type { CancelTimer, Timers } from '../time/timers.ts';
import type { Logger } from './logger.ts';

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface LogLevelChange {
  readonly level: (typeof logLevels)[number];
  /** After this time, the level of the configuration applies again. */
  readonly forSeconds?: number | undefined;
}

/** The other workers that share the port. Calls and answers are texts. */
interface WorkersWithLogs {
  handle(name: string, handler: (body: string) => string): void;
  callOthers(name: string, body: string): Promise<unknown>;
}

interface LogLevelOptions {
  readonly log: Logger;
  readonly timers: Timers;
  readonly workers: WorkersWithLogs | undefined;
}

/** The name of the call that changes the level of another worker. */
const callName = 'log-level';

/** The level of the log, which operators change while the gateway runs. */
export class LogLevel {
  readonly #options: LogLevelOptions;
  readonly #configured: string;
  #cancelReset: CancelTimer | undefined;
  #resetsAt: number | undefined;

  constructor(options: LogLevelOptions) {
    this.#options = options;
    this.#configured = options.log.level;
    options.workers?.handle(callName, (body) => {
      this.#changeOwn(JSON.parse(body));
      return '';
    });
  }

  /** `resetsInSeconds`: until the level of the configuration applies again. */
  get state() {
    const { log, timers } = this.#options;
    return {
      level: log.level,
      configured: this.#configured,
      ...(this.#resetsAt === undefined
        ? {}
        : { resetsInSeconds: Math.max(0, Math.ceil((this.#resetsAt - timers.now()) / 1_000)) }),
    };
  }

  /** Changes the level of all workers. */
  async change(change: LogLevelChange): Promise<void> {
    this.#changeOwn(change);
    await this.#options.workers?.callOthers(callName, JSON.stringify(change));
  }

  close(): void {
    this.#cancelReset?.();
  }

  /** Changes the level of this process. */
  #changeOwn({ level, forSeconds }: LogLevelChange): void {
    const { log, timers } = this.#options;
    this.#cancelReset?.();
    this.#cancelReset = undefined;
    this.#resetsAt = undefined;
    log.level = level;
    if (forSeconds === undefined) return;
    this.#resetsAt = timers.now() + forSeconds * 1_000;
    this.#cancelReset = timers.after(forSeconds * 1_000, () => this.#reset());
  }

  #reset(): void {
    this.#resetsAt = undefined;
    this.#options.log.level = this.#configured;
  }
}
