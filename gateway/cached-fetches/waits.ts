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
  }

  end(): void {
    this.#stop();
  }

  #expire(): void {
    for (const late of this.#stop()) this.#options.onLate(late);
  }

  #stop(): readonly Waiting[] {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const open = [...this.#leaves];
    this.#leaves.clear();
    for (const [, leave] of open) leave?.();
    return open.map(([one]) => one);
  }
}
