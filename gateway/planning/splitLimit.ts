import type { Schema } from '@apollo/federation-internals';

/** How often the clock is looked at: it costs as much as what it is to interrupt. */
const asksPerLook = 16;

/** A split took longer than it may. */
export class SplitTooLongError extends Error {}

/** Ends the planner's work on one operation in its midst, with the thread and all that it holds as they were. The
 *  planner has no such limit, but asks its schema for a type every few milliseconds, whatever it is at. */
export class SplitLimit {
  readonly #limitMs: number;
  #isOn = false;
  #asks = 0;
  #endsAt = 0;

  constructor(schema: Schema, limitMs: number) {
    this.#limitMs = limitMs;
    const typeOf = schema.type;
    schema.type = (name) => {
      if (this.#isOn) this.#look();
      return typeOf.call(schema, name);
    };
  }

  /** What `work` returns. Errors: `SplitTooLongError` where that takes more of the thread's time. */
  within<Value>(work: () => Value): Value {
    this.#isOn = true;
    this.#asks = 0;
    this.#endsAt = threadMs() + this.#limitMs;
    try {
      return work();
    } finally {
      this.#isOn = false;
    }
  }

  #look(): void {
    this.#asks += 1;
    if (this.#asks % asksPerLook !== 0 || threadMs() < this.#endsAt) return;
    throw new SplitTooLongError('The split takes too long.');
  }
}

/** That the thread has worked: a machine that is busy with something else does not make an operation a hard one.
 *  Node tells it from 23.9 on. */
function threadMs(): number {
  if (process.threadCpuUsage === undefined) return performance.now();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
