import type { DestinationStream } from 'pino';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { LineBuffer } from './lineBuffer.ts';

const maxBatchBytes = 32_768;
export const maxBatchMs = 100;

/** Takes lines in UTF-8. */
interface ByteDestination {
  write(lines: Buffer): void;
}

/** Writes access lines in batches: a system call for each would cost as much as all else that the log does. Every other
 *  line is written at once, after the access lines before it. */
export class BatchedDestination implements DestinationStream {
  readonly #destination: ByteDestination;
  readonly #timers: Timers;
  readonly #batch = new LineBuffer();
  #cancelTimer: CancelTimer | undefined;

  constructor(destination: ByteDestination, timers: Timers) {
    this.#destination = destination;
    this.#timers = timers;
  }

  write(line: string): void {
    this.#batch.text(line);
    this.flush();
  }

  /** Writes an access line within `maxBatchMs`. `add` adds it to the batch. */
  writeBatched<Line>(line: Line, add: (line: Line, batch: LineBuffer) => void): void {
    add(line, this.#batch);
    if (this.#batch.length >= maxBatchBytes) this.flush();
    else this.#cancelTimer ??= this.#timers.after(maxBatchMs, () => this.flush());
  }

  /** Writes what waits. To be called before the process exits. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#batch.length > 0) this.#destination.write(this.#batch.take());
  }
}
