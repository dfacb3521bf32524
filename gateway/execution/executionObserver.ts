import type { FetchStep } from './program.ts';

/** Observes the steps of one execution, for timings and traces. Must not throw. */
export interface ExecutionObserver {
  /** The steps that this one depends on have ended. */
  onStepStart(step: FetchStep): void;
  /** The data of the step is in the response tree, or the step has failed. Not called after a cancellation. */
  onStepEnd(step: FetchStep): void;
}

/** Returns one observer for several: none for an empty list. */
export function combineObservers(observers: readonly ExecutionObserver[]): ExecutionObserver | undefined {
  if (observers.length <= 1) return observers[0];
  return {
    onStepStart(step) {
      for (const observer of observers) observer.onStepStart(step);
    },
    onStepEnd(step) {
      for (const observer of observers) observer.onStepEnd(step);
    },
  };
}
