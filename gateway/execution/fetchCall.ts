import type { GatewayError } from '../errors.ts';
import { clientVariableName } from '../operation/variableNames.ts';
import type { CallPriority, RaisablePriority } from '../subgraphs/policies/callPriority.ts';
import type { SubgraphErrorEntry, SubgraphResponse } from '../subgraphs/subgraphClient.ts';
import type { CachedContribution } from './cachingContribution.ts';
import type { FetchShape } from './fetchShape.ts';
import type { LatencyBudget } from './latencyBudget.ts';
import type { RequestContext } from './requestContext.ts';

/** One fetch of one operation: what to ask, and who takes the answer. */
export interface FetchCall {
  readonly shape: FetchShape;
  readonly requestContext: RequestContext;
  /** Calls of different delivery groups never share a request. */
  readonly group: number;
  readonly priority: CallPriority;
  /** By which `priority` may become more urgent while the call is under way; left out where nobody else can. */
  readonly raisablePriority?: RaisablePriority | undefined;
  /** When it is over, the call is content with values that are older than their rules allow otherwise;
   *  `undefined` for what the answer waits for as long as it takes. */
  readonly budget: LatencyBudget | undefined;
  /** A root fetch for something that stands below the root, as behind a mutation's `query` field: what it brings
   *  is for that place and that moment alone. */
  readonly isBelowRoot: boolean;
  /** JSON texts of the representations, all different; empty for a root fetch. */
  readonly representations: readonly string[];
  /** Values of variables that do not come from the client. */
  readonly contextVariables: Readonly<Record<string, unknown>> | undefined;
  /** Called exactly once, unless the call was cancelled. `done` is called when the result has been taken: at once,
   *  or later where it is large. */
  settle(result: FetchResult, done: () => void): void;
}

export type FetchResult =
  | { readonly kind: 'failed'; readonly error: GatewayError }
  | {
      readonly kind: 'answered';
      /** For an entity fetch, an object with one element per representation under `_entities`. */
      readonly data: unknown;
      readonly errors: readonly FetchError[];
      readonly isEscapeFree: boolean;
      /** What the subgraph said about keeping the answer; `undefined` for what no subgraph was asked for. */
      readonly metadata: ResponseMetadata | undefined;
      /** How long the client may keep it; `undefined` for not at all. */
      readonly caching: CachedContribution | undefined;
      /** Per representation, or by response name for a root fetch: what is older than it should be. */
      readonly stale: ReadonlyMap<number | string, Staleness> | undefined;
    };

/** What of a subgraph's answer says how long it may be kept, and what its errors mean. */
interface ResponseMetadata {
  /** Of HTTP, where it is none of success. */
  readonly failureStatus?: number | undefined;
  readonly cacheControl: string | undefined;
  readonly age: string | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
}

/** Why a value is served although its time is over, and how old it is. */
export interface Staleness {
  readonly ageMs: number;
  /** `revalidating`: it is being asked for anew. `error`: the subgraph failed. `budget`: it did not come in time. */
  readonly reason: 'revalidating' | 'error' | 'budget';
}

export interface FetchError {
  /** The subgraph's own error, or one of the gateway about a part of the fetch. */
  readonly entry: SubgraphErrorEntry | GatewayError;
  /** Index of the representation; `undefined` for an error of the fetch as a whole. */
  readonly entityIndex: number | undefined;
  /** Within the entity, or from the root of a root fetch. */
  readonly path: readonly (string | number)[];
}

/** `"name":value,…` of the variables that a call needs, without the representations. */
export function serializeVariables(
  call: Pick<FetchCall, 'shape' | 'requestContext' | 'contextVariables'>,
  rename: (name: string) => string,
): string {
  let text = '';
  const { variables } = call.requestContext;
  for (const name of call.shape.variables) {
    const clientName = clientVariableName(name);
    // `toString` is a name like any other, and no value that a client has sent.
    if (!Object.hasOwn(variables, clientName) || call.contextVariables?.[name] !== undefined) continue;
    const value = variables[clientName];
    if (value === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(rename(name))}:${JSON.stringify(value)}`;
  }
  if (call.contextVariables !== undefined) {
    for (const [name, value] of Object.entries(call.contextVariables)) {
      text += `${text === '' ? '' : ','}${JSON.stringify(rename(name))}:${JSON.stringify(value)}`;
    }
  }
  return text;
}

/** What a call gets of an answer. */
export function toFetchResult(
  { isEscapeFree, failureStatus, cacheControl, age, extensions }: SubgraphResponse,
  data: unknown,
  errors: readonly FetchError[],
): FetchResult {
  return {
    kind: 'answered',
    data,
    errors,
    isEscapeFree,
    metadata: { failureStatus, cacheControl, age, extensions },
    caching: undefined,
    stale: undefined,
  };
}

export function toFailedResult(error: GatewayError): FetchResult {
  return { kind: 'failed', error };
}
