import type { GatewayConfig } from '../config/schema.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { EnrichmentPriority } from '../operation/enrichmentRule.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { RequestPriority } from '../subgraphs/callPriority.ts';
import { selectForwardedHeaders } from '../subgraphs/forwardedHeaders.ts';
import type { ForwardedHeaders } from '../subgraphs/subgraphClient.ts';
import { memoizePolicies } from '../subgraphs/subgraphEndpoints.ts';
import { wantsAutoDefer } from './deferPreference.ts';
import { identityOf } from './identity.ts';
import { requestBudgetOf } from './requestBudget.ts';
import { requestPriorityOf } from './requestPriority.ts';

/** Makes what a client's request brings along to the subgraphs. Its deadlines count from this call on. The function
 *  throws `GatewayError` with `BAD_REQUEST` for a header that cannot be read. */
export function createRequestContextFactory(
  config: GatewayConfig,
): (request: OperationRequest) => RequestContext {
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
          headers = selectForwardedHeaders(forward, request.headers);
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
