import type { Schema } from '@apollo/federation-internals';

/** How often the clock is looked at: it costs as much as what it is to interrupt. */
const lookupsPerCheck = 16;

/** A split took longer than it may. */
export class SplitTimeoutError extends Error {}

/** Ends the planner's work on one operation in its midst, with the thread and all that it holds as they were. The
 *  planner has no such limit, but asks its schema for a type every few milliseconds, whatever it is at. */
export class SplitTimeLimit {
  readonly #limitMs: number;
  #isActive = false;
  #lookups = 0;
  #deadlineMs = 0;

  constructor(schema: Schema, limitMs: number) {
    this.#limitMs = limitMs;
    const typeOf = schema.type;
    schema.type = (name) => {
      if (this.#isActive) this.#checkTime();
      return typeOf.call(schema, name);
    };
  }

  /** What `work` returns. Errors: `SplitTimeoutError` where that takes more of the thread's time. */
  run<Value>(work: () => Value): Value {
    this.#isActive = true;
    this.#lookups = 0;
    this.#deadlineMs = threadCpuTimeMs() + this.#limitMs;
    try {
      return work();
    } finally {
      this.#isActive = false;
    }
  }

  #checkTime(): void {
    this.#lookups += 1;
    if (this.#lookups % lookupsPerCheck !== 0 || threadCpuTimeMs() < this.#deadlineMs) return;
    throw new SplitTimeoutError('The split takes too long.');
  }
}

/** That the thread has worked: a machine that is busy with something else does not make an operation a hard one.
 *  Node tells it from 23.9 on. */
function threadCpuTimeMs(): number {
  if (process.threadCpuUsage === undefined) return performance.now();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
