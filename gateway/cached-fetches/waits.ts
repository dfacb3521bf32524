import type { CancelTimer, Timers } from '../time/timers.ts';

export interface WaitsOptions<Waiting> {
  readonly timers: Timers;
  /** Milliseconds until waiting has to end. */
  leftMs(): number;
  onLate(late: Waiting): void;
}

/** What a request waits for that others fetch: they may have more time than it has. */
export class Waits<Waiting> {
  readonly #options: WaitsOptions<Waiting>;
  /** With what ends the waiting. */
  readonly #leaves = new Map<Waiting, (() => void) | undefined>();
  #cancelTimer: CancelTimer | undefined;

  constructor(options: WaitsOptions<Waiting>) {
    this.#options = options;
  }

  add(one: Waiting, leave?: () => void): void {
    this.#leaves.set(one, leave);
    if (this.#cancelTimer !== undefined) return;
    const left = this.#options.leftMs();
    if (!Number.isFinite(left)) return;
    this.#cancelTimer = this.#options.timers.after(Math.max(0, Math.ceil(left)), () => this.#expire());
  }

  delete(one: Waiting): void {
    this.#leaves.delete(one);
    if (this.#leaves.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Ends the waiting for some. Returns them. */
  leave(isLeft: (one: Waiting) => boolean): readonly Waiting[] {
    const left = [...this.#leaves].filter(([one]) => isLeft(one));
    for (const [one] of left) this.delete(one);
    for (const [, leave] of left) leave?.();
    return left.map(([one]) => one);
  }

  #expire(): void {
    this.#cancelTimer = undefined;
    for (const late of this.leave(() => true)) this.#options.onLate(late);
  }
}
