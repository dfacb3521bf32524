import { systemTimers, type Timers } from '../../gateway/time/timers.ts';

/** Real time, with a count of what waits for it. */
export class CountedTimers implements Timers {
  #open = 0;

  /** Timers that have neither fired nor been cancelled. */
  get open(): number {
    return this.#open;
  }

  after(ms: number, run: () => void): () => void {
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.#open -= 1;
      isOpen = false;
    };
    this.#open += 1;
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
