/** Declares a field as an enrichment: the first response waits for it only until its latency budget expires. */
export interface EnrichmentRule {
  /** `Type.field` in the API schema. */
  readonly coordinate: string;
  /** Milliseconds from the start of the request; `undefined` for `enrichment.budget` of the configuration. */
  readonly budgetMs: number | undefined;
  readonly priority: EnrichmentPriority;
}

/** The order in which requests get the capacity of a busy subgraph. Requests for primary data come first. */
export type EnrichmentPriority = 'CRITICAL' | 'NORMAL' | 'BACKGROUND';

/** How first answers wait for a field. `inline`: the field is fetched with the primary data if that saves requests, and
 *  the answer waits for that request; otherwise the field has its budget. `budgeted`: the field is fetched separately,
 *  and has its budget. `deferred`: the field is fetched separately, and the answer does not wait for it. */
export const deliveryModes = ['inline', 'budgeted', 'deferred'] as const;
export type DeliveryMode = (typeof deliveryModes)[number];
