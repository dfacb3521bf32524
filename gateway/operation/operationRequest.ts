import type { DocumentNode } from 'graphql';

/** How a client takes deferred parts; `undefined` for a client that takes one complete answer only. */
export type IncrementalFormat = 'deferSpec=20220824' | 'incrementalSpec=v0.2';

/** A client's operation after transport, parsing and validation. */
export interface OperationRequest {
  /** Parsed and valid against `supergraph.apiSchema`. */
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  /** As the client sent them; coerced by preparation. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** The client's headers (or connection parameters), names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly incrementalFormat: IncrementalFormat | undefined;
  /** For a subscription: cursor of the last event that the client has got. Everything after it is wanted. */
  readonly resumeAfter?: string | undefined;
  /** Parameters that the client's connection began with and that may travel to subgraphs. */
  readonly connectionParams?: Readonly<Record<string, unknown>> | undefined;
  /** That the client's connection comes from. */
  readonly clientAddress?: string | undefined;
  readonly requestId: string;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}
