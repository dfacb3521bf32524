import type { EnrichmentExtension } from './enrichmentExtension.ts';
import type { StaleExtension } from './staleExtension.ts';

/** `extensions` of a response, or of a payload. */
export interface ResponseExtensions {
  readonly tributary: Partial<StaleExtension> & { readonly enrichment?: EnrichmentExtension };
}

/** Returns `undefined` when there is nothing to report. */
export function createResponseExtensions(
  stale: StaleExtension | undefined,
  enrichment?: EnrichmentExtension | undefined,
): (ResponseExtensions & Readonly<Record<string, unknown>>) | undefined {
  if (stale === undefined && enrichment === undefined) return undefined;
  return { tributary: { ...(enrichment === undefined ? {} : { enrichment }), ...stale } };
}
