import type { GraphQLSchema } from 'graphql';
import { formatConfigPath } from '../../config/configError.ts';
import type { GatewayConfig } from '../../config/schema.ts';
import type { AwaitedEnrichment } from '../../execution/firstResponseGate.ts';
import type { Claims, ClientPreferences, RequestContext } from '../../execution/requestContext.ts';
import type { SupergraphFindings, SupergraphReading } from '../../feature.ts';
import type { EnrichmentRule } from '../../operation/enrichmentRule.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { EnrichmentPolicy } from '../../operation/preparer.ts';
import type { IssuedToken } from '../../response/enrichmentExtension.ts';
import type { SubscriptionOutcome } from '../../response/executionOutcome.ts';
import { type HeaderRules, listHeaderRules } from '../../subgraphs/headerRules.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { AdaptiveDelivery } from '../adaptiveDelivery.ts';
import type { Caller, DeferredEnrichments } from '../deferredEnrichments.ts';
import type { EnrichmentJob, JobAttempt } from '../enrichmentJob.ts';
import type { EnrichmentObserver } from '../enrichmentObserver.ts';
import { type EnrichmentRules, readEnrichmentRules } from '../enrichmentRules.ts';
import {
  addEnrichmentSubscription,
  isEnrichmentSubscription,
  subscribeToEnrichment,
} from './enrichmentSubscription.ts';
import { EqualJobs } from './equalJobs.ts';

/** How one request delivers its enrichments. */
export interface BudgetPlan {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** The enrichments that are fetched inline: the primary data may have to wait for them. */
  readonly inline: readonly AwaitedEnrichment[];
  /** The response waits for all enrichments; those that miss their budget are only counted (enrichment.shadow). */
  readonly isShadow: boolean;
  /** Pending enrichments are delivered as payloads of the same response. */
  readonly isStreamed: boolean;
}

type FirstResponseOutcome = Parameters<EnrichmentObserver['onFirstResponse']>[0]['outcome'];

interface EnrichmentCoordinatorOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly observer: EnrichmentObserver;
  /** Runs the jobs of pending enrichments. Not called for graphs without enrichments. */
  deferredEnrichments(): DeferredEnrichments;
}

/** The enrichment rules of each supergraph, the latencies that were learnt for them, and the budget of each request. */
export class EnrichmentCoordinator {
  readonly adaptiveDelivery: AdaptiveDelivery;
  readonly equalJobs = new EqualJobs();
  readonly #options: EnrichmentCoordinatorOptions;
  readonly #rules = new WeakMap<Supergraph, EnrichmentRules>();
  /** API schemas that the gateway has extended with `Subscription.enrichment`. */
  readonly #schemasWithSubscription = new WeakSet<GraphQLSchema>();
  /** Of `subgraphs.all` and of every subgraph with a section of its own. */
  readonly #headerRules: readonly HeaderRules[];

  constructor(options: EnrichmentCoordinatorOptions) {
    const { mode, adaptation, budget } = options.config.enrichment;
    this.#options = options;
    const { config } = options;
    this.#headerRules = listHeaderRules(config);
    this.adaptiveDelivery = new AdaptiveDelivery({
      mode,
      ...adaptation,
      defaultBudgetMs: budget,
      now: () => performance.now(),
    });
  }

  /** Reads the rules of a supergraph. A supergraph that has any gets the field by which clients subscribe to deferred
   *  enrichments. With mode `never`, only reports invalid rules, so that another mode can be set later. */
  readSupergraph(reading: SupergraphReading): SupergraphFindings | undefined {
    const { mode, fields, budget } = this.#options.config.enrichment;
    const { sdl, apiSchema } = reading.supergraph;
    const mayHaveRules = Object.keys(fields).length > 0 || sdl.includes('://tributary.dev/spec/');
    if (!mayHaveRules) return undefined;
    const { rules, problems, unknown, warnings } = readEnrichmentRules({
      document: reading.document,
      apiSchema,
      configured: { fields, budget },
    });
    const unknownNames = unknown.map(
      ({ key, reason }) => `${formatConfigPath(['enrichment', 'fields', key])}: ${reason}`,
    );
    if (mode === 'never') return { problems, unknownNames };
    return {
      problems,
      unknownNames,
      warnings,
      attach: (supergraph) => {
        if (rules.isEmpty) return undefined;
        const extended = this.#withSubscription(supergraph);
        this.#rules.set(extended, rules);
        return extended;
      },
    };
  }

  hasEnrichments(supergraph: Supergraph): boolean {
    return this.#rules.has(supergraph);
  }

  /** Whether an operation subscribes to the updates of a token. */
  isUpdateSubscription(request: OperationRequest, { apiSchema }: Supergraph): boolean {
    return this.#schemasWithSubscription.has(apiSchema) && isEnrichmentSubscription(request);
  }

  /** Subscribes to the updates of a token. `onFound`: see `Caller`.
   *  @throws {GatewayError} `ENRICHMENT_EXPIRED`, `BAD_USER_INPUT`. */
  subscribe(
    request: OperationRequest,
    { apiSchema }: Supergraph,
    { tokenOwner }: RequestContext,
    onFound?: Caller['onFound'],
  ): Promise<SubscriptionOutcome> {
    return subscribeToEnrichment(apiSchema, request, (token, cursor) =>
      this.#options.deferredEnrichments().subscribe(token, { tokenOwner, onFound }, cursor),
    );
  }

  #withSubscription(supergraph: Supergraph): Supergraph {
    const extended = addEnrichmentSubscription(supergraph.apiSchema);
    if ('conflict' in extended) {
      this.#options.log.warn(
        { conflict: extended.conflict },
        'The graph has a type or field of this name: clients fetch pending enrichments with GET /enrichments/:token only',
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

  /** Records the latency of an enrichment, from the start of the request; `Infinity` if the enrichment was abandoned. */
  recordReady({ rule }: AwaitedEnrichment, latencyMs: number): void {
    this.adaptiveDelivery.recordLatency(rule, latencyMs);
    this.#options.observer.onReady({ coordinate: rule.coordinate, latencyMs });
  }

  /** An enrichment has missed its budget. */
  recordOverdue({ rule, budgetMs }: AwaitedEnrichment): void {
    this.adaptiveDelivery.recordOverdue(rule, budgetMs);
  }

  /** Records how the first response has delivered an enrichment. */
  recordFirstResponse({ rule: { coordinate } }: AwaitedEnrichment, outcome: FirstResponseOutcome): void {
    this.#options.observer.onFirstResponse({ coordinate, outcome });
  }

  /** The enrichments of a response may have shared requests with its primary data. */
  recordUnsplit(): void {
    this.#options.observer.onUnsplit();
  }

  enqueue(
    job: EnrichmentJob,
    attempt: JobAttempt,
    { tokenOwner }: RequestContext,
  ): Promise<IssuedToken | undefined> {
    return this.#options.deferredEnrichments().enqueue(job, attempt, { tokenOwner });
  }

  /** Returns the headers that a job needs later: those that subgraphs get. */
  headersToStore(headers: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
    return [...headers]
      .filter(([name]) => this.#headerRules.some((rules) => rules.reads(name)))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Returns the claims that a job needs later: those that subgraphs get. `undefined` if there are none. */
  claimsToStore(claims: Claims | undefined): Claims | undefined {
    if (claims === undefined) return undefined;
    const names = new Set(this.#headerRules.flatMap((rules) => rules.claimNames));
    const stored = Object.entries(claims).filter(([name]) => names.has(name));
    return stored.length === 0 ? undefined : Object.fromEntries(stored);
  }

  /** The client's budget applies to every field. */
  #budgetOf(rule: EnrichmentRule, requestBudget: number | undefined): number {
    return requestBudget ?? rule.budgetMs ?? this.#options.config.enrichment.budget;
  }
}
