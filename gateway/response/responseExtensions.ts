import type { PayloadTimes } from '../execution/executionObserver.ts';
import type { EnrichmentExtension } from './enrichmentExtension.ts';
import type { SingleOutcome } from './executionOutcome.ts';
import { mergeStale, type StaleExtension } from './staleExtension.ts';

/** `extensions` of a response, or of a payload. */
export interface ResponseExtensions {
  readonly tributary: Partial<StaleExtension> & {
    readonly enrichment?: EnrichmentExtension;
  } & Partial<ReportedCost> &
    Partial<PayloadTimes>;
}

export interface ReportedCost {
  /** Estimated cost of the operation. */
  readonly cost: number;
  /** Omitted in a response with several payloads. */
  readonly actualCost?: number;
}

/** Returns `undefined` when there is nothing to report. */
export function createResponseExtensions(
  stale: StaleExtension | undefined,
  enrichment?: EnrichmentExtension | undefined,
  cost?: ReportedCost | undefined,
  times?: PayloadTimes | undefined,
): (ResponseExtensions & Readonly<Record<string, unknown>>) | undefined {
  if (stale === undefined && enrichment === undefined && cost === undefined && times === undefined)
    return undefined;
  return {
    tributary: {
      ...(enrichment === undefined ? {} : { enrichment }),
      ...stale,
      ...cost,
      ...times,
    },
  };
}

/** What a payload reports together with what earlier payloads have reported. Clients such as Apollo Client and urql replace
 *  `extensions.tributary` when a payload has it: without the repetition, they would lose the token of pending enrichments. */
export function repeatEarlier(
  { tributary: earlier }: ResponseExtensions,
  { tributary: later }: ResponseExtensions,
): ResponseExtensions {
  return { tributary: { ...earlier, ...later, ...mergeStale(earlier, later) } };
}

/** Adds extensions to those that a response has already. */
export function addExtensions(outcome: SingleOutcome, { tributary }: ResponseExtensions): SingleOutcome {
  const own = outcome.extensions?.tributary;
  const merged = { ...(typeof own === 'object' ? own : {}), ...tributary };
  return { ...outcome, extensions: { ...outcome.extensions, tributary: merged } };
}
