import type {
  IncrementalOutcome,
  ResponseContent,
  SubscriptionOutcome,
} from '../response/executionOutcome.ts';
import type { ResponseCaching } from '../response/responseCaching.ts';

/** A complete response in HTTP terms. Other transports ignore what they have no equivalent for. */
export interface CompleteResult {
  readonly kind: 'complete';
  readonly status: number;
  readonly headers: ReadonlyMap<string, string | string[]>;
  readonly content: ResponseContent;
  /** Whether the operation was executed: then the content has `data`. */
  readonly isExecuted: boolean;
  readonly caching: ResponseCaching | undefined;
}

/** A response in several payloads. The receiver must read its iterator to the end or call `return()`. */
export interface StreamResult {
  readonly kind: 'stream';
  readonly headers: ReadonlyMap<string, string | string[]>;
  readonly outcome: IncrementalOutcome | SubscriptionOutcome;
}

export type AdmissionResult = CompleteResult | StreamResult;
