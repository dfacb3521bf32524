import type { GatewayConfig } from '../config/schema.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { OverrideDecision } from '../operation/overrideDecision.ts';
import { type ForwardedHeaders, selectForwardedHeaders } from '../subgraphs/forwardedHeaders.ts';
import { memoizePolicies } from '../subgraphs/subgraphEndpoints.ts';
import { readTraceHeaders } from '../telemetry/traceContext.ts';
import { readClientPreferences } from './clientPreferences.ts';
import type { RequestPriorities } from './requestPriorities.ts';

interface RequestContextFactoryOptions {
  readonly config: GatewayConfig;
  readonly priorities: RequestPriorities;
  /** Which progressive `@override`s apply to the client, or else to the request with these headers. */
  overridesFor(identity: string | undefined, headers: ReadonlyMap<string, string>): OverrideDecision;
}

/** Reads the headers of requests, once for each request, and makes the context that all later stages use. */
export class RequestContextFactory {
  readonly #options: RequestContextFactoryOptions;
  readonly #policyOf: ReturnType<typeof memoizePolicies>;

  constructor(options: RequestContextFactoryOptions) {
    this.#options = options;
    this.#policyOf = memoizePolicies(options.config);
  }

  /** The context of a request whose deadlines count from now.
   *  @throws {GatewayError} `BAD_REQUEST` for a header that cannot be read. */
  create(request: OperationRequest): RequestContext {
    const { requestId, document, operationName, headers, variables, caller } = request;
    const { config, priorities, overridesFor } = this.#options;
    // Subgraphs without an allow-list of their own share one list, and so one set of headers.
    const byAllowList = new Map<readonly string[], ForwardedHeaders>();
    const preferences = readClientPreferences(headers, config.enrichment.bounds);
    const isIdentified = caller.identity !== undefined;
    const priority = priorities.priorityOf(document, operationName, preferences.priority, isIdentified);
    return {
      requestId,
      traceHeaders: readTraceHeaders(headers),
      variables,
      ...caller,
      preferences: { ...preferences, priority },
      isOverridden: overridesFor(caller.identity, headers),
      sharingKey: '',
      isMutation: false,
      ...this.#deadlinesFromNow(),
      headersFor: (subgraph) => {
        const { forward } = this.#policyOf(subgraph).headers;
        let forwarded = byAllowList.get(forward);
        if (forwarded === undefined) {
          forwarded = selectForwardedHeaders(forward, headers);
          byAllowList.set(forward, forwarded);
        }
        return forwarded;
      },
    };
  }

  /** The same request with deadlines that count from now, such as for an event of a subscription. */
  restart(context: RequestContext): RequestContext {
    return { ...context, ...this.#deadlinesFromNow() };
  }

  #deadlinesFromNow(): Pick<RequestContext, 'deadline' | 'deadlineFor'> {
    const startedAt = performance.now();
    const deadline = startedAt + this.#options.config.subgraphs.all.timeouts.deadline;
    return {
      deadline,
      deadlineFor: (subgraph) => Math.min(deadline, startedAt + this.#policyOf(subgraph).timeouts.deadline),
    };
  }
}
