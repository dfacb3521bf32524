import type { ForwardedHeaders } from '../subgraph-client/subgraphClient.ts';

/** What belongs to one client request and travels to subgraphs. */
export interface RequestScope {
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** When the request must be over: milliseconds on `performance.now()`'s clock. */
  readonly deadline: number;
  /** Coerced enough to be sent on: the client's values of the operation's variables. */
  readonly variables: Readonly<Record<string, unknown>>;
  headersFor(subgraph: string): ForwardedHeaders;
}
