import type { Schema } from '@apollo/federation-internals';

/** Type lookups between two reads of the clock. Reading the clock takes as long as a lookup. */
const lookupsPerCheck = 16;

/** Splitting a plan exceeded the time limit. */
export class SplitTimeoutError extends Error {}

/** Interrupts the planner while it plans one operation, without ending its thread. The planner has no time limit, but it
 *  looks up types in its schema every few milliseconds, and this class throws from such a lookup. */
export class SplitTimeLimit {
  readonly #limitMs: number;
  #isActive = false;
  #lookups = 0;
  #deadlineMs = 0;

  constructor(schema: Schema, limitMs: number) {
    this.#limitMs = limitMs;
    const typeOf = schema.type;
    const timedTypeOf: typeof typeOf = (name) => {
      if (this.#isActive) this.#checkTime();
      return typeOf.call(schema, name);
    };
    schema.type = timedTypeOf;
  }

  /** Runs `task` and returns its result.
   *  @throws {SplitTimeoutError} when the task exceeds the limit of CPU time. */
  run<Value>(task: () => Value): Value {
    this.#isActive = true;
    this.#lookups = 0;
    this.#deadlineMs = threadCpuTimeMs() + this.#limitMs;
    try {
      return task();
    } finally {
      this.#isActive = false;
    }
  }

  #checkTime(): void {
    this.#lookups += 1;
    if (this.#lookups % lookupsPerCheck !== 0 || threadCpuTimeMs() < this.#deadlineMs) return;
    throw new SplitTimeoutError('Splitting off deferred parts takes too long (planning.splitTimeout).');
  }
}

/** CPU time instead of wall time, so that load on the machine does not make an operation exceed the limit.
 *  `process.threadCpuUsage` exists since Node 23.9. */
function threadCpuTimeMs(): number {
  if (process.threadCpuUsage === undefined) return performance.now();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
