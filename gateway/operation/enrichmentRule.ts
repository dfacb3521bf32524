/** Says that a field may come late, and how long the first answer waits for it. */
export interface EnrichmentRule {
  /** `Type.field`, as the API schema names it. */
  readonly coordinate: string;
  /** Milliseconds from the request's start; `undefined` for the configuration's `enrichment.budget`. */
  readonly budgetMs: number | undefined;
  readonly priority: EnrichmentPriority;
}

/** In which order work goes to a subgraph that is short of capacity; primary work comes before all of it. */
export type EnrichmentPriority = 'CRITICAL' | 'NORMAL' | 'BACKGROUND';

/** How the first answer deals with a field. `inline`: it is fetched with the primary data where that saves requests, and
 *  what comes in one call is waited for like that; what has a fetch of its own has its budget. `budget`: it has fetches
 *  of its own in any case. `late`: the same, and it is not waited for at all. */
export type DeliveryMode = 'inline' | 'budget' | 'late';
