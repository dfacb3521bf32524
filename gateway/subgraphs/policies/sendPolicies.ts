import type { Send, SendPolicy } from '../subgraphClient.ts';

/** Puts policies around `send`. The first one of the list is the outermost.
 *
 *  A request to a subgraph passes these policies, in this order:
 *
 *  1. **Policies of features** (`Feature.sendPolicy`), such as `reportValidationFailures`. Outermost, because they are
 *     about the request of each caller, whether it shares a call or not.
 *  2. **In-flight sharing** (`inFlightCalls.ts`, on `singleFlight.ts`). Before everything that takes capacity, so that a
 *     joiner takes no slot and no connection, and each keeps its own deadline. A call that no caller waits for is cancelled
 *     in all policies below.
 *  3. **Retries** (`retryPolicy.ts`). Around the slot, so that a call that waits for its retry holds none; around the circuit
 *     breaker, so that each attempt counts, and an open circuit ends the retries.
 *  4. **Concurrency queue** (`callQueue.ts`) with the **adaptive limit** (`adaptiveLimit.ts`). Before the attempt timeout, so
 *     that waiting for a slot is not counted as slowness of the subgraph.
 *  5. **Circuit breaker** (`circuitBreakers.ts`). Asked when a call arrives, so that it fails at once, and again when it has
 *     its slot, because the circuit may have opened while it waited.
 *  6. **Attempt timeout** (`sharedCall.ts`): covers an attempt and its hedge. All calls share one timer
 *     (`sharedTimer.ts`).
 *  7. **Hedging** (`hedgePolicy.ts`): a second attempt in a slot of its own, if one is free.
 *  8. **Choice of the endpoint** (`endpointBalancer.ts`), for each attempt.
 *  9. **Resending** after a lost idle connection (`httpCall.ts`). Innermost, because only the transport knows whether a
 *     connection had been used before. It spends the retry budget, too, unless the server cannot have got the request: that
 *     one is sent again as often as an idle connection is lost, also if it is a mutation.
 *
 *  2 to 7 work on calls (`SharedCall`), not on requests, and share one object per call: that is why they are not
 *  functions of the type `SendPolicy`. `CallPolicies` has the policies of a subgraph. Put a policy that concerns one
 *  caller here as a `SendPolicy`. */
export function applySendPolicies(send: Send, policies: readonly SendPolicy[]): Send {
  return policies.reduceRight((next, policy) => policy(next), send);
}
