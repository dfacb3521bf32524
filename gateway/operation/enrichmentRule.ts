/** Declares a field as an enrichment: the first response waits for it only until its latency budget expires. */
export interface EnrichmentRule {
  /** `Type.field` in the API schema. */
  readonly coordinate: string;
  /** Milliseconds from the start of the request; `undefined` for `enrichment.budget` of the configuration. */
  readonly budgetMs: number | undefined;
  readonly priority: EnrichmentPriority;
}

/** Order in which enrichments are fetched from a subgraph at its concurrency limit. Primary data precedes all of them. */
export type EnrichmentPriority = (typeof enrichmentPriorities)[number];

export const enrichmentPriorities = ['CRITICAL', 'NORMAL', 'BACKGROUND'] as const;

/** How the first response treats an enrichment. `inline`: it is fetched with the primary data where that saves requests,
 *  and is then awaited like primary data; an enrichment with a separate fetch is awaited until its budget expires.
 *  `budgeted`: it always has separate fetches. `deferred`: the same, and the first response does not wait for it. */
export const deliveryModes = ['inline', 'budgeted', 'deferred'] as const;
export type DeliveryMode = (typeof deliveryModes)[number];
