import type { GraphQLSchema } from 'graphql';
import type { GatewayConfig } from '../../config/schema.ts';
import { subgraphPolicyOf } from '../../config/subgraphPolicyOf.ts';
import type { AwaitedEnrichment } from '../../execution/firstResponseGate.ts';
import type { ClientPreferences, RequestContext } from '../../execution/requestContext.ts';
import type { SupergraphFindings, SupergraphReading } from '../../feature.ts';
import type { EnrichmentRule } from '../../operation/enrichmentRule.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { EnrichmentPolicy } from '../../operation/preparer.ts';
import type { SubscriptionOutcome } from '../../response/executionOutcome.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { AdaptiveDelivery } from '../adaptiveDelivery.ts';
import type { Caller, DeferredEnrichments, IssuedToken } from '../deferredEnrichments.ts';
import type { EnrichmentJob, JobAttempt } from '../enrichmentJob.ts';
import type { EnrichmentObserver } from '../enrichmentObserver.ts';
import { type EnrichmentRules, readEnrichmentRules } from '../enrichmentRules.ts';
import {
  addEnrichmentSubscription,
  isEnrichmentSubscription,
  subscribeToEnrichment,
} from './enrichmentSubscription.ts';
import { EqualJobs } from './equalJobs.ts';

/** How one request deals with what may come late. */
export interface BudgetPlan {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** Of these, the ones that the primary data may have to wait for. */
  readonly inline: readonly AwaitedEnrichment[];
  /** Everything is waited for, and what would have been late is only counted. */
  readonly isShadow: boolean;
  /** The client takes what is late as payloads of the same answer. */
  readonly isStreamed: boolean;
}

type FirstAnswerOutcome = Parameters<EnrichmentObserver['onAnswered']>[0]['outcome'];

interface EnrichmentCoordinatorOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly observer: EnrichmentObserver;
  /** Who takes over what first answers leave out. Not called where nothing can be late. */
  deferredEnrichments(): DeferredEnrichments;
}

/** What the parts of enrichments make together: the rules of each supergraph, what was learnt of their latencies, and
 *  the budget of each request. */
export class EnrichmentCoordinator {
  readonly adaptiveDelivery: AdaptiveDelivery;
  readonly equalJobs = new EqualJobs();
  readonly #options: EnrichmentCoordinatorOptions;
  readonly #rules = new WeakMap<Supergraph, EnrichmentRules>();
  /** API schemas that have `Subscription.enrichment` of ours. */
  readonly #schemasWithSubscription = new WeakSet<GraphQLSchema>();
  readonly #storedHeaders: ReadonlySet<string>;

  constructor(options: EnrichmentCoordinatorOptions) {
    const { mode, adaptation, budget } = options.config.enrichment;
    this.#options = options;
    this.#storedHeaders = storedHeaderNames(options.config);
    this.adaptiveDelivery = new AdaptiveDelivery({
      mode,
      ...adaptation,
      defaultBudgetMs: budget,
      now: () => performance.now(),
    });
  }

  /** Reads the rules of a supergraph. A supergraph that has any gets the field by which clients subscribe to deferred
   *  enrichments. */
  readSupergraph(reading: SupergraphReading): SupergraphFindings | undefined {
    const { mode, fields, budget } = this.#options.config.enrichment;
    const { sdl, apiSchema } = reading.supergraph;
    const mayHaveRules = Object.keys(fields).length > 0 || sdl.includes('://tributary.dev/spec/');
    if (mode === 'never' || !mayHaveRules) return undefined;
    const { rules, problems, unknownCoordinates, warnings } = readEnrichmentRules({
      document: reading.document,
      apiSchema,
      configured: { fields, budget },
    });
    return {
      problems,
      unknownNames: unknownCoordinates.map((name) => `enrichment.fields: ${name}`),
      warnings,
      attach: (supergraph) => {
        if (rules.isEmpty) return undefined;
        const extended = this.#withSubscription(supergraph);
        this.#rules.set(extended, rules);
        // From now on this process also finishes the jobs that other processes have left.
        this.#options.deferredEnrichments();
        return extended;
      },
    };
  }

  /** Whether an operation subscribes to what is late. */
  isUpdateSubscription(request: OperationRequest, { apiSchema }: Supergraph): boolean {
    return this.#schemasWithSubscription.has(apiSchema) && isEnrichmentSubscription(request);
  }

  /** The answer of such an operation. Errors: `GatewayError` `ENRICHMENT_EXPIRED`, `BAD_USER_INPUT`. */
  subscribe(
    request: OperationRequest,
    { apiSchema }: Supergraph,
    { tokenOwner }: RequestContext,
  ): Promise<SubscriptionOutcome> {
    const caller = callerOf(tokenOwner);
    return subscribeToEnrichment(apiSchema, request, (token, cursor) =>
      this.#options.deferredEnrichments().subscribe(token, caller, cursor),
    );
  }

  #withSubscription(supergraph: Supergraph): Supergraph {
    const extended = addEnrichmentSubscription(supergraph.apiSchema);
    if ('conflict' in extended) {
      this.#options.log.warn(
        { conflict: extended.conflict },
        'The graph uses this name by itself: what is late is picked up by GET /enrichments/:token alone',
      );
      return supergraph;
    }
    this.#schemasWithSubscription.add(extended.schema);
    return { ...supergraph, apiSchema: extended.schema };
  }

  /** How the operations of a request are prepared; `undefined` if the supergraph has no enrichments. */
  policyFor(supergraph: Supergraph, { budgetMs }: ClientPreferences): EnrichmentPolicy | undefined {
    const rules = this.#rules.get(supergraph);
    if (rules === undefined) return undefined;
    return {
      ruleOf: (parentType, fieldName) => rules.ruleOf(parentType, fieldName),
      shouldFuse: (used) =>
        this.#options.config.enrichment.shadow ||
        used.every(
          (rule) => this.adaptiveDelivery.deliveryModeOf(rule, this.#budgetOf(rule, budgetMs)) === 'inline',
        ),
    };
  }

  budgetPlanFor(
    { enrichments }: PreparedOperation,
    { incrementalFormat }: OperationRequest,
    preferences: ClientPreferences,
  ): BudgetPlan {
    const isStreamed = preferences.isAutoDefer && incrementalFormat !== undefined;
    const modes = enrichments.map(({ group, rule }) => {
      const budgetMs = this.#budgetOf(rule, preferences.budgetMs);
      const mode = this.adaptiveDelivery.deliveryModeOf(rule, budgetMs);
      const awaited: AwaitedEnrichment = { group, rule, budgetMs: mode === 'deferred' ? 0 : budgetMs };
      return { mode, awaited };
    });
    return {
      enrichments: modes.map(({ awaited }) => awaited),
      inline: modes.flatMap(({ mode, awaited }) => (mode === 'inline' ? [awaited] : [])),
      isShadow: this.#options.config.enrichment.shadow,
      isStreamed,
    };
  }

  /** An enrichment was ready so long after the request's start; `Infinity` where it was given up. */
  recordReady({ rule }: AwaitedEnrichment, latencyMs: number): void {
    this.adaptiveDelivery.recordLatency(rule, latencyMs);
    this.#options.observer.onReady({ coordinate: rule.coordinate, latencyMs });
  }

  /** The budget of an enrichment is over, and it is not there. */
  recordOverdue({ rule, budgetMs }: AwaitedEnrichment): void {
    this.adaptiveDelivery.recordOverdue(rule, budgetMs);
  }

  /** What has become of an enrichment in a first answer. */
  recordAnswered({ rule: { coordinate } }: AwaitedEnrichment, outcome: FirstAnswerOutcome): void {
    this.#options.observer.onAnswered({ coordinate, outcome });
  }

  enqueue(
    job: EnrichmentJob,
    run: JobAttempt,
    { tokenOwner }: RequestContext,
  ): Promise<IssuedToken | undefined> {
    return this.#options.deferredEnrichments().enqueue(job, run, callerOf(tokenOwner));
  }

  /** Those that subgraphs get, or that say whose a request is. */
  headersToStore(headers: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
    return [...this.#storedHeaders].flatMap((name): [string, string][] => {
      const value = headers.get(name);
      return value === undefined ? [] : [[name, value]];
    });
  }

  /** The client's budget applies to every field. */
  #budgetOf(rule: EnrichmentRule, requestBudget: number | undefined): number {
    return requestBudget ?? rule.budgetMs ?? this.#options.config.enrichment.budget;
  }
}

export function callerOf(tokenOwner: string | undefined): Caller {
  return { identity: JSON.stringify(tokenOwner ?? null) };
}

/** The headers without which a request could not be finished later: those that any subgraph gets, and those that say
 *  whose it is. Sorted, in lower case. */
export function storedHeaderNames(config: GatewayConfig): ReadonlySet<string> {
  const forwarded = Object.keys(config.subgraphs).flatMap(
    (name) => subgraphPolicyOf(config, name).headers.forward,
  );
  const identity = config.security.identity?.header;
  const names = [...forwarded, 'authorization', ...(identity === undefined ? [] : [identity])];
  return new Set(names.map((name) => name.toLowerCase()).sort());
}
