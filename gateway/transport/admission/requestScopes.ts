import { identityOf } from '../../cache/rules/identity.ts';
import type { GatewayConfig } from '../../config/schema.ts';
import { wantsAutoDefer } from '../../enrichment/deferPreference.ts';
import type { EnrichmentPriority } from '../../enrichment/enrichmentRule.ts';
import { requestBudgetOf } from '../../enrichment/requestBudget.ts';
import { requestPriorityOf } from '../../enrichment/requestPriority.ts';
import type { RequestScope } from '../../execution/requestScope.ts';
import type { OperationRequest } from '../../operation/request.ts';
import type { RequestPriority } from '../../subgraph-client/callPriority.ts';
import { forwardedHeaders } from '../../subgraph-client/headers.ts';
import type { ForwardedHeaders } from '../../subgraph-client/subgraphClient.ts';
import { memoizePolicies } from '../../subgraph-client/subgraphEndpoints.ts';

/** Makes what a client's request brings along to the subgraphs. Its deadlines count from this call on. The function
 *  throws `GatewayError` with `BAD_REQUEST` for a header that cannot be read. */
export function createRequestScopes(config: GatewayConfig): (request: OperationRequest) => RequestScope {
  const policyOf = memoizePolicies(config);
  return (request) => {
    const startedAt = performance.now();
    const { headers: given } = request;
    const priority = requestPriorityOf(given);
    // A mistake is told whether or not anything may come late here.
    requestBudgetOf(given, config.enrichment.bounds);
    wantsAutoDefer(given);
    const whole = startedAt + config.subgraphs.all.timeouts.deadline;
    // Subgraphs without an allow-list of their own share one list, and so one set of headers.
    const byAllowList = new Map<readonly string[], ForwardedHeaders>();
    return {
      requestId: request.requestId,
      traceparent: request.headers.get('traceparent'),
      variables: request.variables,
      identity: identityOf(config.cache.identity, request.headers),
      isMutation: false,
      priority: priority && requestPriorities[priority],
      deadline: whole,
      deadlineFor: (subgraph) => Math.min(whole, startedAt + policyOf(subgraph).timeouts.deadline),
      headersFor: (subgraph) => {
        const { forward } = policyOf(subgraph).headers;
        let headers = byAllowList.get(forward);
        if (headers === undefined) {
          headers = forwardedHeaders(forward, request.headers);
          byAllowList.set(forward, headers);
        }
        return headers;
      },
    };
  };
}

const requestPriorities: Readonly<Record<EnrichmentPriority, RequestPriority>> = {
  CRITICAL: 'critical',
  NORMAL: 'normal',
  BACKGROUND: 'background',
};
