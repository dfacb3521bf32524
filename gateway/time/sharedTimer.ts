import type { Timers } from './timers.ts';

export interface TimedTask {
  /** Milliseconds, on the clock of the timer. */
  readonly dueAt: number;
  /** Where the timer stores the task. Only the timer changes it. */
  position: number;
  /** Must remove the task, or give it a later `dueAt`. Not called before `dueAt`, nor after the task was removed. */
  onDue(now: number): void;
}

/** One timer for many tasks that nearly always end before they are due, such as calls with a timeout. A timer for each of
 *  them would cost more than the rest of its bookkeeping; here, a task that comes and goes costs a few assignments. The timer
 *  is set to the earliest time that was due when it was set, perhaps for a task that has ended since. When it fires, it
 *  looks at all tasks, which takes some microseconds for a thousand of them. */
export class SharedTimer<Task extends TimedTask> {
  readonly #timers: Timers;
  readonly #tasks: Task[] = [];
  #firesAt = Number.POSITIVE_INFINITY;
  #stop: (() => void) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** In no particular order. */
  get tasks(): readonly Task[] {
    return this.#tasks;
  }

  add(task: Task): void {
    task.position = this.#tasks.length;
    this.#tasks.push(task);
    this.update(task);
  }

  /** `dueAt` of the task has changed. */
  update({ dueAt }: Task): void {
    if (dueAt < this.#firesAt) this.#start(dueAt);
  }

  /** Idempotent. */
  remove(task: Task): void {
    if (!this.#has(task)) return;
    const last = this.#tasks.pop() as Task;
    if (last !== task) {
      this.#tasks[task.position] = last;
      last.position = task.position;
    }
    if (this.#tasks.length > 0) return;
    this.#stop?.();
    this.#stop = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  #has(task: Task): boolean {
    return this.#tasks[task.position] === task;
  }

  #start(firesAt: number): void {
    this.#stop?.();
    this.#firesAt = firesAt;
    const delayMs = Math.max(0, Math.ceil(firesAt - this.#timers.now()));
    this.#stop = this.#timers.after(delayMs, this.#fire);
  }

  readonly #fire = (): void => {
    const actual = this.#timers.now();
    // Timers run in whole milliseconds, on a clock that may be a fraction ahead of the other one.
    const now = this.#firesAt - actual < 1 ? Math.max(this.#firesAt, actual) : actual;
    this.#stop = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    for (const task of this.#tasks.filter(({ dueAt }) => dueAt <= now)) {
      // An earlier one may have ended it, or given it more time.
      if (this.#has(task) && task.dueAt <= now) task.onDue(now);
    }
    let earliest = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#tasks) earliest = Math.min(earliest, dueAt);
    if (earliest < this.#firesAt) this.#start(earliest);
  };
}
