import type { RequestPriority } from '../subgraphs/callPriority.ts';
import type { ForwardedHeaders } from '../subgraphs/subgraphClient.ts';

/** What belongs to one client request and travels to subgraphs. */
export interface RequestContext {
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** Coerced enough to be sent on: the client's values of the operation's variables. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whose private values it may see; `undefined` for nobody's. */
  readonly identity: string | undefined;
  /** A mutation, or a part of its answer: what it reads must be as new as itself. */
  readonly isMutation: boolean;
  /** Where a subgraph is short of capacity, among calls that are as urgent for their requests; `normal` when omitted. */
  readonly priority?: RequestPriority | undefined;
  /** When the whole request must be over, on the same clock. */
  readonly deadline: number;
  /** When a call of this subgraph must be over: milliseconds on `performance.now()`'s clock. */
  deadlineFor(subgraph: string): number;
  headersFor(subgraph: string): ForwardedHeaders;
}

/** The same, but nothing that it asks is shared with other requests. What a mutation's answer reads must not come
 *  from a query that began before the mutation did. */
export function isolateRequestContext(scope: RequestContext): RequestContext {
  const own = `unshared ${++unsharedScopes}`;
  return {
    ...scope,
    isMutation: true,
    headersFor: (subgraph) => {
      const { key, pairs } = scope.headersFor(subgraph);
      return { key: `${own} ${key}`, pairs };
    },
  };
}

let unsharedScopes = 0;
