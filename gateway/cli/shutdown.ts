import { listenForStopSignals } from './stopSignals.ts';

/** The steps in which a process shuts down: the shutdown is requested, and when `delayMs` have passed, it is due. */
export class Shutdown {
  readonly #delayMs: number;
  readonly #requested = Promise.withResolvers<void>();
  readonly #due = Promise.withResolvers<void>();
  #state: 'none' | 'requested' | 'due' = 'none';

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** Resolves when the process is no longer to be reported as ready. It continues to serve until `due`. */
  get requested(): Promise<void> {
    return this.#requested.promise;
  }

  /** Resolves when the process is to stop accepting work. */
  get due(): Promise<void> {
    return this.#due.promise;
  }

  get isRequested(): boolean {
    return this.#state !== 'none';
  }

  get isDue(): boolean {
    return this.#state === 'due';
  }

  /** Requests the shutdown, if it was not requested yet. */
  request(): void {
    if (this.isRequested) return;
    this.#state = 'requested';
    this.#requested.resolve();
    setTimeout(() => this.skipDelay(), this.#delayMs).unref();
  }

  /** Makes the shutdown due at once. */
  skipDelay(): void {
    if (this.isDue) return;
    this.#state = 'due';
    this.#requested.resolve();
    this.#due.resolve();
  }
}

export const forcedStopMessage =
  'A further stop signal ends this process without waiting for running requests';

/** Shuts down at SIGTERM and SIGUSR2, and when the IPC channel to a parent process closes. SIGINT and SIGHUP, which come from
 *  a terminal, and a second signal skip the delay; the next signal calls `onForcedStop`. Returns a function that removes the
 *  listeners. */
export function shutDownAtStopSignals(shutdown: Shutdown, onForcedStop: () => void): () => void {
  return listenForStopSignals({
    onStop: (signal) =>
      signal === 'SIGINT' || signal === 'SIGHUP' ? shutdown.skipDelay() : shutdown.request(),
    onForcedStop: () => (shutdown.isDue ? onForcedStop() : shutdown.skipDelay()),
  });
}
