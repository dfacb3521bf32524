import { type CallPriority, mostUrgent } from './callPriority.ts';

/** How urgent a fetch is that others may come to wait for: as urgent as the most urgent of them. */
export class RaisablePriority {
  #current: CallPriority;
  readonly #listeners: ((priority: CallPriority) => void)[] = [];

  constructor(priority: CallPriority) {
    this.#current = priority;
  }

  get current(): CallPriority {
    return this.#current;
  }

  /** Somebody of this priority waits too. */
  raise(priority: CallPriority): void {
    const raised = mostUrgent(this.#current, priority);
    if (raised === this.#current) return;
    this.#current = raised;
    for (const listener of this.#listeners) listener(raised);
  }

  /** Calls with each priority that is more urgent than all before. */
  onRaise(listener: (priority: CallPriority) => void): void {
    this.#listeners.push(listener);
  }
}
