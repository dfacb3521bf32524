import { createUtilizationReader } from '../../time/createUtilizationReader.ts';
import { AdaptiveLimit } from './adaptiveLimit.ts';
import type { AttemptEnd } from './call.ts';
import { type CallLimits, reduceTotal } from './callLimits.ts';
import { CallQueue, type CallQueueObserver } from './callQueue.ts';
import type { CircuitState } from './circuitBreaker.ts';
import { type Circuit, CircuitBreakers, type CircuitBreakersSettings } from './circuitBreakers.ts';
import { EndpointBalancer, type EndpointChange, type EndpointState } from './endpointBalancer.ts';
import { HedgePolicy, type HedgeSettings } from './hedgePolicy.ts';
import { isOverload, RetryPolicy, type RetrySettings } from './retryPolicy.ts';

/** The policies of one subgraph, which all of its calls share. Policies that the configuration turns off are omitted. */
export interface CallPolicies {
  readonly queue: CallQueue;
  readonly circuits?: CircuitBreakers | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly hedge?: HedgePolicy | undefined;
  readonly adaptiveLimit?: AdaptiveLimit | undefined;
  /** `undefined` for a subgraph with one endpoint. */
  readonly balancer?: EndpointBalancer | undefined;
  /** The configured limits, which `adaptiveLimit` reduces. */
  readonly limits: CallLimits;
}

/** The settings of policies that may be turned off: `undefined` for none. */
export interface CallPolicySettings {
  readonly retry?: RetrySettings | undefined;
  readonly breaker?: CircuitBreakersSettings | undefined;
  readonly hedge?: HedgeSettings | undefined;
  readonly isAdaptive?: boolean | undefined;
  /** Equal endpoints of the subgraph, if there are several. */
  readonly urls?: readonly string[] | undefined;
}

/** What the policies of all subgraphs have in common. */
export interface CallPolicyContext {
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** Milliseconds since 1970. */
  wallClock(): number;
  /** From 0 up to 1. */
  random(): number;
  readonly queueTimeMs?: number | undefined;
  readonly observer?: CallPolicyObserver | undefined;
}

export interface CallPolicyObserver extends CallQueueObserver {
  /** A failed call is sent again. */
  onRetry(subgraph: string): void;
  /** A request shares the call of another one. */
  onJoin(subgraph: string): void;
  /** A slow call is sent a second time. */
  onHedge(subgraph: string): void;
  /** A circuit has opened or closed. */
  onCircuitChange(subgraph: string, circuit: Circuit): void;
  /** One of several endpoints was ejected, or responds again. */
  onEndpointChange(subgraph: string, url: string, change: EndpointChange): void;
  /** A subgraph sent a `Retry-After` that is neither a number of seconds nor a date. */
  onMalformedRetryAfter(subgraph: string, value: string): void;
}

export function createCallPolicies(
  subgraph: string,
  limits: CallLimits,
  { retry, breaker, hedge, isAdaptive, urls }: CallPolicySettings,
  { now, wallClock, random, queueTimeMs, observer }: CallPolicyContext,
): CallPolicies {
  return {
    limits,
    queue: new CallQueue({
      name: subgraph,
      limits,
      queueTimeMs,
      observer,
      now,
      readUtilization: createUtilizationReader(),
    }),
    circuits:
      breaker &&
      new CircuitBreakers({
        settings: breaker,
        now,
        onChange: (circuit) => observer?.onCircuitChange(subgraph, circuit),
      }),
    retry:
      retry &&
      new RetryPolicy({
        settings: retry,
        now,
        wallClock,
        random,
        onMalformedRetryAfter: (value) => observer?.onMalformedRetryAfter(subgraph, value),
      }),
    hedge: hedge && new HedgePolicy(hedge, now),
    balancer:
      urls &&
      new EndpointBalancer(urls, now, random, (url, change) =>
        observer?.onEndpointChange(subgraph, url, change),
      ),
    adaptiveLimit: isAdaptive ? new AdaptiveLimit(limits.total, now(), createUtilizationReader()) : undefined,
  };
}

/** What operators see of the policies of a subgraph. */
export interface SubgraphState {
  readonly subgraph: string;
  /** The worst state of its circuits; `undefined` without a circuit breaker. */
  readonly circuit: CircuitState | undefined;
  /** The circuits that are not closed. */
  readonly openCircuits: readonly { readonly coordinate: string | undefined; readonly state: CircuitState }[];
  readonly concurrencyLimit: number;
  readonly running: number;
  readonly queued: number;
  /** False while failed calls are not retried because the budget is spent; `undefined` without retries. */
  readonly hasRetryBudget: boolean | undefined;
  /** `undefined` for a subgraph with one endpoint. */
  readonly endpoints: readonly EndpointState[] | undefined;
}

export function stateOf(subgraph: string, { queue, circuits, retry, balancer }: CallPolicies): SubgraphState {
  return {
    subgraph,
    circuit: circuits?.state,
    openCircuits: (circuits?.circuits ?? []).flatMap(({ coordinate, breaker: { state } }) =>
      state === 'closed' ? [] : [{ coordinate, state }],
    ),
    concurrencyLimit: queue.limits.total,
    running: queue.running,
    queued: queue.length,
    hasRetryBudget: retry?.hasBudget,
    endpoints: balancer?.states,
  };
}

interface EndedAttempt {
  /** Milliseconds until the response had arrived. */
  readonly latencyMs: number;
  /** How many calls were under way when it ended, this one included. */
  readonly running: number;
  readonly isDeferred: boolean;
}

/** Lets the policies that learn from latency learn from an attempt that ended at `now`. */
export function learnFromAttempt(
  { queue, hedge, adaptiveLimit, limits }: CallPolicies,
  end: AttemptEnd,
  { latencyMs, running, isDeferred }: EndedAttempt,
  now: number,
): void {
  const overloaded = isOverload(end);
  if (!overloaded && end.status !== undefined) {
    queue.onServiceTime(isDeferred, latencyMs);
    hedge?.onResponse(latencyMs);
  }
  if (adaptiveLimit === undefined) return;
  const hasChanged = overloaded
    ? adaptiveLimit.onOverload(now)
    : end.status !== undefined && adaptiveLimit.onResponse(latencyMs, running, now);
  if (hasChanged) queue.limits = reduceTotal(limits, adaptiveLimit.current);
}
