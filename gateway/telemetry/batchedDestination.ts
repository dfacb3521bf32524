import type { DestinationStream } from 'pino';
import type { CancelTimer, Timers } from '../time/timers.ts';

const maxBatchLength = 32_768;
export const maxBatchMs = 100;

/** Writes access lines in batches: a system call for each would cost as much as all else that the log does. Every other
 *  line is written at once, after the access lines before it. */
export class BatchedDestination implements DestinationStream {
  readonly #destination: DestinationStream;
  readonly #timers: Timers;
  #batch = '';
  #cancelTimer: CancelTimer | undefined;

  constructor(destination: DestinationStream, timers: Timers) {
    this.#destination = destination;
    this.#timers = timers;
  }

  write(line: string): void {
    this.#batch += line;
    this.flush();
  }

  /** Writes an access line within `maxBatchMs`. */
  writeBatched(line: string): void {
    this.#batch += line;
    if (this.#batch.length >= maxBatchLength) this.flush();
    else this.#cancelTimer ??= this.#timers.after(maxBatchMs, () => this.flush());
  }

  /** Writes what waits. To be called before the process exits. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const batch = this.#batch;
    this.#batch = '';
    if (batch !== '') this.#destination.write(batch);
  }
}
