import type { FetchStep } from './program.ts';

/** A fetch that was sent so many times in a row is expected the next time. */
const arrivalsToExpect = 8;

/** One in so many fetches of a step does not wait, so that its duration alone is measured. */
const trialInterval = 32;

/** How much longer a fetch may take than the one that it waits for. If it takes longer still, waiting would delay the
 *  response. */
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
  /** Moving average, in milliseconds, of the fetches that did not wait; `NaN` before the first one. */
  #durationMs = Number.NaN;
  #fetches = 0;
  /** Since it was last expected in vain. */
  #arrivals = 0;

  constructor({ index, shape, group }: Pick<FetchStep, 'index' | 'shape' | 'group'>) {
    this.index = index;
    this.#shape = shape;
    this.#group = group;
  }

  get durationMs(): number {
    return this.#durationMs;
  }

  /** Whether the current fetch is one of those that do not wait. */
  get isTrial(): boolean {
    return this.#fetches % trialInterval === 0;
  }

  /** Whether entity fetches of both steps can be one request. */
  canJoin({ shape, group }: Pick<FetchStep, 'shape' | 'group'>): boolean {
    return this.#shape.isEntityFetch && this.#shape.subgraph === shape.subgraph && this.#group === group;
  }

  /** Whether a fetch that takes `durationMs` may wait for this one without delaying the response. */
  isExpectedBy(durationMs: number): boolean {
    return this.#arrivals >= arrivalsToExpect && durationMs <= this.#durationMs * maxRelativeDuration;
  }

  onFetch(): void {
    this.#fetches += 1;
    this.#arrivals += 1;
  }

  /** Another fetch has waited for this one, which did not come, or came too late. */
  onExpectedInVain(): void {
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
): readonly ScheduledStep[] {
  const scheduled = steps.map((step) => new ScheduledStep(step));
  for (const step of scheduled)
    step.dependents = (dependents[step.index] ?? []).map((index) => scheduled[index] as ScheduledStep);
  return scheduled;
}
