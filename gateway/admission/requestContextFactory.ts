import type { GatewayConfig } from '../config/schema.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import {
  RespondPolicies,
  ResponseHeaderCollector,
  type ResponseHeaderMap,
} from '../execution/responseHeaderCollector.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { OverrideDecision } from '../operation/overrideDecision.ts';
import type { ForwardedHeaders } from '../subgraphs/forwardedHeaders.ts';
import {
  checkConnectionHeader,
  createHeaderRules,
  type HeaderRules,
  listHeaderRules,
} from '../subgraphs/headerRules.ts';
import { memoizePolicies } from '../subgraphs/subgraphEndpoints.ts';
import { readTraceHeaders, traceIdOf } from '../telemetry/traceContext.ts';
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
  readonly #headerRulesOf: (subgraph: string) => HeaderRules;
  readonly #headerRules: readonly HeaderRules[];
  readonly #respondPolicies: RespondPolicies | undefined;

  constructor(options: RequestContextFactoryOptions) {
    this.#options = options;
    this.#policyOf = memoizePolicies(options.config);
    this.#headerRulesOf = createHeaderRules(options.config);
    this.#headerRules = listHeaderRules(options.config);
    this.#respondPolicies = RespondPolicies.of(options.config);
  }

  /** The context of a request whose deadlines count from `startedAt`, on the clock of `performance.now`.
   *  @throws {GatewayError} `BAD_REQUEST` for a header that cannot be read. */
  create(request: OperationRequest, startedAt = performance.now()): RequestContext {
    const { requestId, record, document, operationName, headers, variables, caller } = request;
    const { responseHeaders } = request;
    const { config, priorities, overridesFor } = this.#options;
    checkConnectionHeader(this.#headerRules, headers);
    // Subgraphs without rules of their own share one object, and so one set of headers.
    const byRules = new Map<HeaderRules, ForwardedHeaders>();
    const {
      priority: claimed,
      budgetMs,
      isAutoDefer,
    } = readClientPreferences(headers, config.enrichment.bounds);
    const isIdentified = caller.identity !== undefined;
    const priority = priorities.priorityOf(document, operationName, claimed, isIdentified);
    const traceHeaders = request.traceHeaders ?? readTraceHeaders(headers);
    if (record !== undefined) record.traceId ??= traceIdOf(traceHeaders);
    const { deadline, deadlineFor } = this.#deadlinesFrom(startedAt);
    // Without spreads, which copy property by property.
    return {
      requestId,
      traceHeaders,
      trace: request.trace,
      record,
      variables,
      claims: caller.claims,
      expiresAt: caller.expiresAt,
      identity: caller.identity,
      tokenOwner: caller.tokenOwner,
      clientKey: caller.clientKey,
      preferences: { budgetMs, priority, isAutoDefer },
      isOverridden: overridesFor(caller.identity, headers),
      sharingKey: '',
      responseHeaderCollector: this.#createHeaderCollector(responseHeaders),
      isMutation: false,
      deadline,
      deadlineFor,
      headersFor: (subgraph) => {
        const rules = this.#headerRulesOf(subgraph);
        let forwarded = byRules.get(rules);
        if (forwarded === undefined) {
          forwarded = rules.select(headers, caller.claims);
          byRules.set(rules, forwarded);
        }
        return forwarded;
      },
    };
  }

  /** The same request with deadlines that count from now, such as for an event of a subscription. Its response has begun. */
  restart(context: RequestContext): RequestContext {
    return {
      ...context,
      ...this.#deadlinesFrom(performance.now()),
      responseHeaderCollector: this.#createHeaderCollector(),
      record: undefined,
    };
  }

  /** Without a target, they only partition the calls to subgraphs whose cookies are sent to clients. */
  #createHeaderCollector(target?: ResponseHeaderMap): ResponseHeaderCollector | undefined {
    const policies = this.#respondPolicies;
    if (policies === undefined || (target === undefined && !policies.sendsCookies)) return undefined;
    return new ResponseHeaderCollector(policies, target);
  }

  #deadlinesFrom(startedAt: number): Pick<RequestContext, 'deadline' | 'deadlineFor'> {
    const deadline = startedAt + this.#options.config.subgraphs.all.timeouts.deadline;
    return {
      deadline,
      deadlineFor: (subgraph) => Math.min(deadline, startedAt + this.#policyOf(subgraph).timeouts.deadline),
    };
  }
}
