import { isDeepStrictEqual } from 'node:util';
import { percentile } from '../percentile.ts';
import type { Update } from './fetchUpdates.ts';
import type { FirstAnswer } from './firstAnswer.ts';

export interface TallyResult {
  readonly requests: number;
  /** From sending a request until its first response; `null` if a client's timeout ended the wait. */
  readonly firstP50Ms: number | null;
  readonly firstP99Ms: number | null;
  readonly unanswered: number;
  /** From sending a request until all its pending fields arrived. */
  readonly completeP50Ms: number | undefined;
  readonly completeP99Ms: number | undefined;
  /** Pending paths of first responses. */
  readonly pending: number;
  /** Of the pending paths: `delivered` arrived once and correctly, `failed` ended with an error, `lost` never
   *  arrived, and `duplicated` arrived more than once. */
  readonly delivered: number;
  readonly failed: number;
  readonly lost: number;
  readonly duplicated: number;
  /** First responses with errors. */
  readonly failedImmediately: number;
  /** Responses that differ from the expected response after all updates. */
  readonly wrong: number;
  readonly problem: string | undefined;
}

/** Counts the results of requests. */
export class Tally {
  readonly #first: number[] = [];
  readonly #complete: number[] = [];
  /** Run by `result`: while clients wait for responses, a check would delay when they notice them. */
  readonly #checks: (() => void)[] = [];
  #pending = 0;
  #delivered = 0;
  #failed = 0;
  #lost = 0;
  #duplicated = 0;
  #failedImmediately = 0;
  #wrong = 0;
  #problem: string | undefined;

  recordFirst(ms: number): void {
    this.#first.push(ms);
  }

  recordUnanswered(): void {
    this.#first.push(Number.POSITIVE_INFINITY);
  }

  /** Compares a response and its updates with the expected response. `wholeMs`: the time until the last update. */
  recordComplete(answer: FirstAnswer, updates: readonly Update[], expected: unknown, wholeMs: number): void {
    if (answer.hasErrors) {
      this.#failedImmediately += 1;
      return;
    }
    if (answer.pending.length > 0) this.#complete.push(wholeMs);
    this.#checks.push(() => this.#check(answer, updates, expected));
  }

  #check(answer: FirstAnswer, updates: readonly Update[], expected: unknown): void {
    const merged = structuredClone(answer.data);
    const wanted = structuredClone(expected);
    const pending = new Set(answer.pending.map((path) => path.join('.')));
    const came = new Map<string, number>();
    for (const { path, data, errors } of updates) {
      const key = path.join('.');
      if (!pending.has(key)) this.recordProblem(`An update for ${key}, which was not pending`);
      came.set(key, (came.get(key) ?? 0) + 1);
      setAt(merged, path, data);
      if (errors === undefined || errors === null) this.#delivered += 1;
      else {
        this.#failed += 1;
        setAt(wanted, path, null);
      }
    }
    this.#pending += pending.size;
    for (const key of pending) {
      const times = came.get(key) ?? 0;
      if (times === 0) this.#lost += 1;
      if (times > 1) this.#duplicated += 1;
    }
    const isRight = isDeepStrictEqual(merged, wanted) && [...came.keys()].every((key) => pending.has(key));
    if (isRight || [...pending].some((key) => !came.has(key))) return;
    this.#wrong += 1;
    this.recordProblem(`Got ${JSON.stringify(merged)}`);
  }

  recordProblem(problem: string): void {
    this.#problem ??= problem;
  }

  /** To be called when all requests have ended. */
  result(): TallyResult {
    for (const check of this.#checks.splice(0)) check();
    const first = this.#first.sort((a, b) => a - b);
    const complete = this.#complete.sort((a, b) => a - b);
    // JSON has no infinity.
    const firstAt = (percent: number): number | null => {
      const ms = percentile(first, percent);
      return Number.isFinite(ms) ? ms : null;
    };
    return {
      requests: first.length,
      firstP50Ms: firstAt(50),
      firstP99Ms: firstAt(99),
      unanswered: first.filter((ms) => ms === Number.POSITIVE_INFINITY).length,
      completeP50Ms: complete.length === 0 ? undefined : percentile(complete, 50),
      completeP99Ms: complete.length === 0 ? undefined : percentile(complete, 99),
      pending: this.#pending,
      delivered: this.#delivered,
      failed: this.#failed,
      lost: this.#lost,
      duplicated: this.#duplicated,
      failedImmediately: this.#failedImmediately,
      wrong: this.#wrong,
      problem: this.#problem,
    };
  }
}

function setAt(data: unknown, path: Update['path'], value: unknown): void {
  const parent = path.slice(0, -1).reduce<unknown>((at, step) => Object(at)[step], data);
  const last = path.at(-1);
  if (typeof parent === 'object' && parent !== null && last !== undefined)
    Object.assign(parent, { [last]: value });
}
