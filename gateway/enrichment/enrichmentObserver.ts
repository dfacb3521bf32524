/** Receives the events of enrichments in first responses that are counted. */
export interface EnrichmentObserver {
  /** A first response was sent. `stale`: with a stale cached value. `incremental`: a payload follows on the same
   *  response. `pending`: null, with a token if there was room for the job. `shadow pending`: the response waited for the
   *  field, and would have been sent without it outside of shadow mode. */
  onFirstResponse(event: {
    readonly coordinate: string;
    readonly outcome: 'in time' | 'stale' | 'incremental' | 'pending' | 'shadow pending';
  }): void;
  /** A first response was sent whose enrichments may have shared requests with its primary data, because planning could
   *  not split them off. */
  onUnsplit(): void;
  /** A field was ready, before or after the response was sent. `latencyMs`: from the start of the request; `Infinity` if the
   *  field was abandoned. */
  onReady(event: { readonly coordinate: string; readonly latencyMs: number }): void;
}
