import type { ForwardedHeaders } from '../subgraph-client/subgraphClient.ts';

/** What belongs to one client request and travels to subgraphs. */
export interface RequestScope {
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** Coerced enough to be sent on: the client's values of the operation's variables. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** When a call of this subgraph must be over: milliseconds on `performance.now()`'s clock. */
  deadlineFor(subgraph: string): number;
  headersFor(subgraph: string): ForwardedHeaders;
}
