import type { Send, SendPolicy } from '../subgraphClient.ts';

/** Puts policies around `send`. The first one of the list is the outermost.
 *
 *  A request to a subgraph passes these policies, in this order:
 *
 *  1. **Policies of features** (`Feature.sendPolicy`), such as `reportValidationFailures`. Outermost, because they are
 *     about the request of each caller, whether it shares a call or not.
 *  2. **In-flight sharing** (`inFlightCalls.ts`, on `singleFlight.ts`). Before everything that takes capacity, so that a
 *     joiner takes no slot and no connection, and each keeps its own deadline.
 *  3. **Concurrency queue** (`callQueue.ts`). Before the attempt timeout, so that waiting for a slot is not counted as
 *     slowness of the subgraph; a deadline of a caller that passes meanwhile removes the call.
 *  4. **Deadlines and attempt timeout** (`inFlightCalls.ts`): one timer for each call, set to what comes first. They end
 *     everything below.
 *  5. **Resending** after a lost idle connection (`httpCall.ts`). Innermost, because only the transport knows whether a
 *     connection had been used before.
 *
 *  2 to 4 work on calls (`Call`), not on requests, and share one object and one timer per call: that is why they are
 *  not functions of the type `SendPolicy`. Put a policy that concerns one caller here as a `SendPolicy`. Put a policy
 *  that concerns a shared call, such as a retry, a circuit breaker or hedging, around `createCall` in
 *  `httpSubgraphClient.ts`, as a `Call` that wraps another one: it then runs once for all joiners, inside the timeout. */
export function applySendPolicies(send: Send, policies: readonly SendPolicy[]): Send {
  return policies.reduceRight((next, policy) => policy(next), send);
}
