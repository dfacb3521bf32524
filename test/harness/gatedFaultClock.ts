import type { FaultClock } from '../../subgraphs/shared/faultClock.ts';

/** A clock for the demo's faults without time: every wait lasts until the gate opens. */
export class GatedFaultClock implements FaultClock {
  #opened = Promise.withResolvers<void>();

  open(): void {
    this.#opened.resolve();
  }

  /** Closes an open gate. Waits that have begun last until it opens again. */
  close(): void {
    const { resolve } = this.#opened;
    this.#opened = Promise.withResolvers();
    void this.#opened.promise.then(resolve);
  }

  async sleep(_ms: number, signal: AbortSignal): Promise<void> {
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([this.#opened.promise, left.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }
}
