import type { CancelTimer, Timers } from '../../time/timers.ts';

interface WaitersOptions<Waiter> {
  readonly timers: Timers;
  /** The time left until the deadline of the request. */
  remainingMs(): number;
  onTimeout(waiter: Waiter): void;
}

/** The waiters of one request: items that other requests or processes fetch. They time out at the deadline of the
 *  request, because the others may have later deadlines. */
export class Waiters<Waiter> {
  readonly #options: WaitersOptions<Waiter>;
  readonly #leaveByWaiter = new Map<Waiter, (() => void) | undefined>();
  #cancelTimer: CancelTimer | undefined;

  constructor(options: WaitersOptions<Waiter>) {
    this.#options = options;
  }

  /** `leave` is called if the wait is cancelled or times out. */
  add(waiter: Waiter, leave?: () => void): void {
    this.#leaveByWaiter.set(waiter, leave);
    if (this.#cancelTimer !== undefined) return;
    const remainingMs = this.#options.remainingMs();
    if (!Number.isFinite(remainingMs)) return;
    this.#cancelTimer = this.#options.timers.after(Math.max(0, Math.ceil(remainingMs)), () => this.#expire());
  }

  delete(waiter: Waiter): void {
    this.#leaveByWaiter.delete(waiter);
    if (this.#leaveByWaiter.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Returns the waiters that it removed. */
  cancelWhere(isUnneeded: (waiter: Waiter) => boolean): readonly Waiter[] {
    const cancelled = [...this.#leaveByWaiter].filter(([waiter]) => isUnneeded(waiter));
    for (const [waiter] of cancelled) this.delete(waiter);
    for (const [, leave] of cancelled) leave?.();
    return cancelled.map(([waiter]) => waiter);
  }

  #expire(): void {
    this.#cancelTimer = undefined;
    for (const waiter of this.cancelWhere(() => true)) this.#options.onTimeout(waiter);
  }
}
