import type { GatewayError } from '../errors.ts';
import { clientVariableName } from '../operation/variableNames.ts';
import type { CallPriority, RaisablePriority } from '../subgraphs/policies/callPriority.ts';
import type { SubgraphErrorEntry, SubgraphResponse } from '../subgraphs/subgraphClient.ts';
import type { FetchSpan } from '../telemetry/fetchSpan.ts';
import type { CachedContribution } from './cachingContribution.ts';
import type { FetchShape } from './fetchShape.ts';
import type { LatencyBudget } from './latencyBudget.ts';
import type { RequestContext } from './requestContext.ts';
import type { ScheduledStep } from './scheduledStep.ts';

/** One fetch of one operation, and the receiver of its result. */
export interface FetchCall {
  readonly shape: FetchShape;
  readonly requestContext: RequestContext;
  /** Calls of different delivery groups never share a request. */
  readonly group: number;
  readonly priority: CallPriority;
  /** Raises `priority` while the call is in flight; omitted for a call that no other request can join. */
  readonly raisablePriority?: RaisablePriority | undefined;
  /** When the budget expires, the call also accepts stale values that its cache rules do not allow otherwise. `undefined` for
   *  a call that the response waits for without limit. */
  readonly budget: LatencyBudget | undefined;
  /** A root fetch for an object below the root, such as a mutation's `query` field. Its result is valid for that path and
   *  that moment only. */
  readonly isBelowRoot: boolean;
  /** JSON texts of the representations, all different; empty for a root fetch. */
  readonly representations: readonly string[];
  /** Values of variables that do not come from the client. */
  readonly contextVariables: Readonly<Record<string, unknown>> | undefined;
  readonly step: ScheduledStep;
  /** `undefined` for a request that is not recorded. Set by `FetchScheduler`, for all calls that it sends together. */
  span?: FetchSpan | undefined;
  /** Called once, unless the call is cancelled. The receiver calls `done` when it has processed the result: at once, or
   *  later for a large one. */
  settle(result: FetchResult, done: () => void): void;
}

/** Reports the result of a call to its step and span. To be called by the receiver: a call that reports by itself would be a
 *  copy. */
export function reportResult({ step, span }: Pick<FetchCall, 'step' | 'span'>, result: FetchResult): void {
  if (result.kind === 'failed') step.resetArrivals();
  if (span === undefined) return;
  if (result.kind === 'failed') span.end(result.error.code);
  else if (result.stale !== undefined) span.onStale();
}

export type FetchResult =
  | { readonly kind: 'failed'; readonly error: GatewayError }
  | {
      readonly kind: 'completed';
      /** For an entity fetch, the list of entities, one per representation, or `undefined` if the subgraph returned none. For a
       *  root fetch, the `data` of the response. */
      readonly data: unknown;
      readonly errors: readonly FetchError[];
      readonly isEscapeFree: boolean;
      /** What the subgraph's response says about caching; `undefined` for a result without a subgraph call. */
      readonly metadata: ResponseMetadata | undefined;
      /** How the result limits the caching of the response; `undefined` for a result that may not be cached. */
      readonly caching: CachedContribution | undefined;
      /** The stale values: by index of the representation, or by response name for a root fetch. */
      readonly stale: ReadonlyMap<number | string, Staleness> | undefined;
    };

export type CompletedResult = Extract<FetchResult, { readonly kind: 'completed' }>;

/** The parts of a subgraph's response that decide how long it may be cached. */
interface ResponseMetadata {
  readonly cacheControl: string | undefined;
  readonly age: string | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** The response has cookies for the client: it must not be stored. */
  readonly hasCookies: boolean | undefined;
}

/** Why a stale value is served, and how old it is. */
export interface Staleness {
  readonly ageMs: number;
  /** `revalidating`: a refresh is in flight. `error`: the subgraph failed. `budget`: the fresh value missed its budget. */
  readonly reason: 'revalidating' | 'error' | 'budget';
}

export interface FetchError {
  /** The subgraph's own error, or the gateway's error about a part of the fetch. */
  readonly entry: SubgraphErrorEntry | GatewayError;
  /** Index of the representation; `undefined` for an error of the fetch as a whole. */
  readonly entityIndex: number | undefined;
  /** Path in the entity, or from the root of a root fetch. */
  readonly path: readonly (string | number)[];
}

/** Serializes the variables of a call as `"name":value,…`, without the representations. */
export function serializeVariables(
  call: Pick<FetchCall, 'shape' | 'requestContext' | 'contextVariables'>,
  rename: (name: string) => string = (name) => name,
): string {
  let text = '';
  const { variables } = call.requestContext;
  for (const name of call.shape.variables) {
    const clientName = clientVariableName(name);
    // A variable may be named `toString`, which every object has.
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

/** Whether two fetches send the same operation with equal variables, except for their representations. */
export function haveEqualOperations(call: FetchCall, other: FetchCall): boolean {
  return call.shape.id === other.shape.id && serializeVariables(call) === serializeVariables(other);
}

/** Creates the result of a call from a subgraph's response. */
export function toFetchResult(
  { isEscapeFree, cacheControl, age, extensions, clientHeaders }: SubgraphResponse,
  data: unknown,
  errors: readonly FetchError[],
): FetchResult {
  return {
    kind: 'completed',
    data,
    errors,
    isEscapeFree,
    metadata: { cacheControl, age, extensions, hasCookies: clientHeaders?.includes('set-cookie') },
    caching: undefined,
    stale: undefined,
  };
}

export function toFailedResult(error: GatewayError): FetchResult {
  return { kind: 'failed', error };
}
