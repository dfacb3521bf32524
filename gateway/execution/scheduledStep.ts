import type { FetchStep } from './program.ts';

/** A fetch that was ready so many times is expected the next time. */
const arrivalsToExpect = 8;

/** One in so many fetches of a step does not wait, so that its duration alone is measured. */
const trialInterval = 32;

/** How much longer a fetch may take than the one that it waits for. The difference delays the response. The durations of one
 *  fetch differ by about as much from one time to the next. */
const maxRelativeDuration = 1.5;

/** The part of the latest duration in the average. */
const smoothing = 1 / 8;

/** A step of a program as `FetchScheduler` sees it: which steps wait for it, and what its fetches have shown so far. Shared by
 *  all executions of the program. */
export class ScheduledStep {
  readonly index: number;
  /** The steps that wait for this one. */
  dependents: readonly ScheduledStep[] = [];
  readonly #shape: FetchStep['shape'];
  readonly #group: number;
  /** The delivery groups that wait for the step. */
  readonly #groups: readonly number[];
  /** Moving average, in milliseconds, of the fetches that did not wait; `NaN` before the first one. */
  #durationMs = Number.NaN;
  #fetches = 0;
  /** Since `resetArrivals`. */
  #arrivals = 0;

  constructor(
    { index, shape, group }: Pick<FetchStep, 'index' | 'shape' | 'group'>,
    groups: readonly number[],
  ) {
    this.index = index;
    this.#shape = shape;
    this.#group = group;
    this.#groups = groups;
  }

  /** Whether entity fetches of both steps can be one request. */
  canJoin({ shape, group }: Pick<FetchStep, 'shape' | 'group'>): boolean {
    return this.#shape.isEntityFetch && this.#shape.subgraph === shape.subgraph && this.#group === group;
  }

  /** Whether the fetches `calls`, of one delivery group, may wait for one of this step and hardly delay a payload. */
  isExpectedBy(calls: readonly { readonly step: ScheduledStep }[]): boolean {
    return (
      this.#arrivals >= arrivalsToExpect &&
      calls.every(
        ({ step: other }) =>
          other.#durationMs <= this.#durationMs * maxRelativeDuration &&
          // The payloads of other groups come after the primary data.
          (other.#group === 0 || other.#groups.every((group) => this.#groups.includes(group))),
      )
    );
  }

  /** A fetch is ready. Returns whether it is one of those that do not wait. */
  onFetch(): boolean {
    this.#fetches += 1;
    this.#arrivals += 1;
    return this.#fetches % trialInterval === 0;
  }

  /** Another fetch has waited for this one in vain, or this one has failed, and a fetch in the same request with it. */
  resetArrivals(): void {
    this.#arrivals = 0;
  }

  /** A fetch that did not wait has ended. */
  onDuration(ms: number): void {
    this.#durationMs = Number.isNaN(this.#durationMs)
      ? ms
      : this.#durationMs + (ms - this.#durationMs) * smoothing;
  }
}

/** One for each step, in their order. */
export function scheduledStepsOf(
  steps: readonly FetchStep[],
  dependents: readonly (readonly number[])[],
  groupsOfStep: readonly (readonly number[])[],
): readonly ScheduledStep[] {
  const scheduled = steps.map((step, index) => new ScheduledStep(step, groupsOfStep[index] ?? []));
  for (const step of scheduled)
    step.dependents = (dependents[step.index] ?? []).map((index) => scheduled[index] as ScheduledStep);
  return scheduled;
}
