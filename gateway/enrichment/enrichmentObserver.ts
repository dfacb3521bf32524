/** What becomes of fields that may come late in first answers, for those who count. */
export interface EnrichmentObserver {
  /** A first answer has left. `stale`: with an older value. `incremental`: it comes later on the same response.
   *  `pending`: null, and a token if there was room for the rest. `shadow pending`: it was waited for, and would
   *  have been late. */
  onAnswered(answered: {
    readonly coordinate: string;
    readonly outcome: 'in time' | 'stale' | 'incremental' | 'pending' | 'shadow pending';
  }): void;
  /** A field was ready, whether or not an answer still waited for it. `latencyMs`: from the request's start;
   *  `Infinity` for one that was given up. */
  onReady(ready: { readonly coordinate: string; readonly latencyMs: number }): void;
}
