import { systemTimers, type Timers } from '../../gateway/time/timers.ts';

/** Real timers that count the pending ones. */
export class CountingTimers implements Timers {
  #activeCount = 0;

  /** Timers that have neither fired nor been cancelled. */
  get activeCount(): number {
    return this.#activeCount;
  }

  now(): number {
    return systemTimers.now();
  }

  after(ms: number, run: () => void): () => void {
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.#activeCount -= 1;
      isOpen = false;
    };
    this.#activeCount += 1;
    const cancel = systemTimers.after(ms, () => {
      close();
      run();
    });
    return () => {
      close();
      cancel();
    };
  }
}
