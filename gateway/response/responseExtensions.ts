import type { EnrichmentExtension } from './enrichmentExtension.ts';
import type { StaleExtension } from './staleExtension.ts';

/** `extensions` of an answer, or of a payload. */
export interface ResponseExtensions {
  readonly tributary: Partial<StaleExtension> & { readonly enrichment?: EnrichmentExtension };
}

/** `undefined` where there is nothing to say. */
export function createResponseExtensions(
  stale: StaleExtension | undefined,
  enrichment?: EnrichmentExtension | undefined,
): (ResponseExtensions & Readonly<Record<string, unknown>>) | undefined {
  if (stale === undefined && enrichment === undefined) return undefined;
  return { tributary: { ...(enrichment === undefined ? {} : { enrichment }), ...stale } };
}
