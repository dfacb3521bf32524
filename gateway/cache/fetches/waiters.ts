import type { CancelTimer, Timers } from '../../time/timers.ts';

interface WaitersOptions<Waiting> {
  readonly timers: Timers;
  /** Milliseconds until waiting has to end. */
  remainingMs(): number;
  onTimeout(late: Waiting): void;
}

/** What a request waits for that others fetch: they may have more time than it has. */
export class Waiters<Waiting> {
  readonly #options: WaitersOptions<Waiting>;
  /** With what ends the waiting. */
  readonly #cancelByWaiter = new Map<Waiting, (() => void) | undefined>();
  #cancelTimer: CancelTimer | undefined;

  constructor(options: WaitersOptions<Waiting>) {
    this.#options = options;
  }

  add(one: Waiting, leave?: () => void): void {
    this.#cancelByWaiter.set(one, leave);
    if (this.#cancelTimer !== undefined) return;
    const left = this.#options.remainingMs();
    if (!Number.isFinite(left)) return;
    this.#cancelTimer = this.#options.timers.after(Math.max(0, Math.ceil(left)), () => this.#expire());
  }

  delete(one: Waiting): void {
    this.#cancelByWaiter.delete(one);
    if (this.#cancelByWaiter.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Ends the waiting for some. Returns them. */
  cancelWhere(isLeft: (one: Waiting) => boolean): readonly Waiting[] {
    const left = [...this.#cancelByWaiter].filter(([one]) => isLeft(one));
    for (const [one] of left) this.delete(one);
    for (const [, leave] of left) leave?.();
    return left.map(([one]) => one);
  }

  #expire(): void {
    this.#cancelTimer = undefined;
    for (const late of this.cancelWhere(() => true)) this.#options.onTimeout(late);
  }
}
