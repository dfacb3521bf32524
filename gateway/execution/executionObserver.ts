import type { FetchOutcome } from '../telemetry/fetchSpan.ts';
import type { FetchStep } from './program.ts';

/** Observes one execution and the response that is made of it, for timings and traces. Must not throw. */
export interface ExecutionObserver {
  /** The steps that this one depends on have ended. */
  onStepStart(step: FetchStep): void;
  /** The data of the step is in the response tree, or the step has failed. Not called after a cancellation. */
  onStepEnd(step: FetchStep): void;
  /** The first response is about to be shaped, without these groups. Called again if it has to wait for more. */
  onResponseReady?(pendingGroups: ReadonlySet<number>): void;
  /** The first of several payloads is made. */
  onFirstPayload?(): void;
  /** The last payload, or the only one, is made, or the response has ended without it. Steps may follow that a job waits
   *  for. Not called for an execution that has not started. */
  onResponseEnd?(end: ResponseEnd): void;
  /** Returns what a payload reports about its times. `groups`: the delivery groups of a payload after the first one;
   *  omitted for the first one. Called only for clients that may see it. */
  timesOf?(groups?: ReadonlySet<number>): PayloadTimes | undefined;
}

export interface ResponseEnd {
  /** False when the client disconnected, or the gateway shut down, before the last payload. */
  readonly isComplete: boolean;
  readonly hasErrors: boolean;
  /** Indices of the steps that failed, or had errors in their responses; omitted for none. */
  readonly failedSteps?: ReadonlySet<number> | undefined;
}

/** Where the time of a payload went, in `extensions.tributary`. */
export interface PayloadTimes {
  /** The chain of fetches that the payload waited for, in their order. */
  readonly criticalPath: readonly CriticalFetch[];
  /** What else the first payload waited for. */
  readonly timings?: ResponseTimings;
  /** For a request with the header `tributary-explain`. */
  readonly explain?: Explanation;
}

/** The query plan and the fetches behind a payload. */
export interface Explanation {
  /** The query plan as text; in the first payload only. */
  readonly plan?: string;
  /** All fetches so far, in the order of their starts. */
  readonly fetches: readonly ExplainedFetch[];
}

interface ExplainedFetch {
  readonly subgraph: string;
  /** Entities that were fetched; 0 for root fields. */
  readonly entities: number;
  /** The delivery group that needs it; 0 is the first payload. */
  readonly group: number;
  /** From the start of the request or event, in milliseconds. */
  readonly startMs: number;
  /** `null` while it runs. */
  readonly endMs: number | null;
  /** `cached`: without a request. `joined`: by the request of another operation. Omitted while it runs, or if it failed
   *  without a request. */
  readonly outcome?: FetchOutcome;
  /** Code of the error that it failed with. */
  readonly error?: string;
}

export interface CriticalFetch {
  readonly subgraph: string;
  /** Where the fetched objects are in the response; `@` for all elements of a list. Empty for a fetch at the root. */
  readonly path: readonly string[];
  /** From the end of the fetch before it to its own end, in milliseconds. */
  readonly ms: number;
}

/** In milliseconds. Together with the fetches of the critical path they are the time to the first payload. */
export interface ResponseTimings {
  /** Until the first fetch could start: checks, planning. */
  readonly planningMs: number;
  /** The latency budget of enrichments, after the last fetch that the payload has data of. */
  readonly budgetMs: number;
  /** Making the payload of the data. */
  readonly shapingMs: number;
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
    onResponseReady(pendingGroups) {
      for (const observer of observers) observer.onResponseReady?.(pendingGroups);
    },
    onFirstPayload() {
      for (const observer of observers) observer.onFirstPayload?.();
    },
    onResponseEnd(end) {
      for (const observer of observers) observer.onResponseEnd?.(end);
    },
    timesOf(groups) {
      for (const observer of observers) {
        const times = observer.timesOf?.(groups);
        if (times !== undefined) return times;
      }
      return undefined;
    },
  };
}
