import type { AwaitedEnrichment } from '../../execution/firstResponseGate.ts';

/** How one request deals with what may come late. */
export interface BudgetPlan {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** Of these, the ones that the primary data may have to wait for. */
  readonly inline: readonly AwaitedEnrichment[];
  /** Everything is waited for, and what would have been late is only counted. */
  readonly isShadow: boolean;
  /** The client takes what is late as payloads of the same answer. */
  readonly isStreamed: boolean;
}
