import type { EnrichmentPriority } from '../operation/enrichmentRule.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';

/** How urgent an enrichment with a priority is, compared with requests and with calls to subgraphs. */
export function requestPriorityOf(priority: EnrichmentPriority): RequestPriority {
  return requestPriorities[priority];
}

const requestPriorities: Readonly<Record<EnrichmentPriority, RequestPriority>> = {
  CRITICAL: 'critical',
  NORMAL: 'normal',
  BACKGROUND: 'background',
};
