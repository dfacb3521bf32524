import type { GraphQLSchema } from 'graphql';
import { identityOf } from '../cache/rules/identity.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { Adaptation } from '../enrichment/adaptation.ts';
import { wantsAutoDefer } from '../enrichment/deferPreference.ts';
import type { EnrichmentJob, EnrichmentRun } from '../enrichment/enrichmentJob.ts';
import type { EnrichmentObserver } from '../enrichment/enrichmentObserver.ts';
import type { EnrichmentRule } from '../enrichment/enrichmentRule.ts';
import { type EnrichmentRules, readEnrichmentRules } from '../enrichment/enrichmentRules.ts';
import type { Caller, LateEnrichments, Ticket } from '../enrichment/lateEnrichments.ts';
import { requestBudgetOf } from '../enrichment/requestBudget.ts';
import type { AwaitedEnrichment } from '../execution/firstAnswerWait.ts';
import type { SupergraphFindings, SupergraphReading } from '../feature.ts';
import type { EnrichmentChoice } from '../operation/prepare.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { OperationRequest } from '../operation/request.ts';
import type { SubscriptionOutcome } from '../response/outcome.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { BudgetPlan } from './budgetPlan.ts';
import {
  isEnrichmentSubscription,
  subscribeToEnrichment,
  withEnrichmentSubscription,
} from './enrichmentSubscription.ts';
import { EqualRests } from './equalRests.ts';
import { keptHeaderNames } from './keptHeaderNames.ts';

export type AnsweredOutcome = Parameters<EnrichmentObserver['onAnswered']>[0]['outcome'];

export interface EnrichingOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly observer: EnrichmentObserver;
  /** Who takes over what first answers leave out. Not called where nothing can be late. */
  late(): LateEnrichments;
}

/** What the parts of enrichments make together: the rules of each supergraph, what was learnt of their latencies, and
 *  the budget of each request. */
export class Enriching {
  readonly adaptation: Adaptation;
  readonly rests = new EqualRests();
  readonly #options: EnrichingOptions;
  readonly #rules = new WeakMap<Supergraph, EnrichmentRules>();
  /** API schemas that have `Subscription.enrichment` of ours. */
  readonly #withField = new WeakSet<GraphQLSchema>();
  readonly #keptHeaders: ReadonlySet<string>;

  constructor(options: EnrichingOptions) {
    const { mode, adaptation, budget } = options.config.enrichment;
    this.#options = options;
    this.#keptHeaders = keptHeaderNames(options.config);
    this.adaptation = new Adaptation({
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
    const { rules, problems, unknown, warnings } = readEnrichmentRules({
      document: reading.document,
      apiSchema,
      configured: { fields, budget },
    });
    return {
      problems,
      unknownNames: unknown.map((name) => `enrichment.fields: ${name}`),
      warnings,
      attach: (supergraph) => {
        if (rules.isEmpty) return undefined;
        const extended = this.#withSubscription(supergraph);
        this.#rules.set(extended, rules);
        // From now on this process also finishes the jobs that other processes have left.
        this.#options.late();
        return extended;
      },
    };
  }

  /** Whether an operation subscribes to what is late. */
  isPickUp(request: OperationRequest, { apiSchema }: Supergraph): boolean {
    return this.#withField.has(apiSchema) && isEnrichmentSubscription(request);
  }

  /** The answer of such an operation. Errors: `GatewayError` `ENRICHMENT_EXPIRED`, `BAD_USER_INPUT`. */
  pickUp(request: OperationRequest, { apiSchema }: Supergraph): Promise<SubscriptionOutcome> {
    const caller = this.callerOf(request.headers);
    return subscribeToEnrichment(apiSchema, request, (token, cursor) =>
      this.#options.late().follow(token, caller, cursor),
    );
  }

  #withSubscription(supergraph: Supergraph): Supergraph {
    const extended = withEnrichmentSubscription(supergraph.apiSchema);
    if ('obstacle' in extended) {
      this.#options.log.warn(
        { obstacle: extended.obstacle },
        'The graph uses this name by itself: what is late is picked up by GET /enrichments/:token alone',
      );
      return supergraph;
    }
    this.#withField.add(extended.schema);
    return { ...supergraph, apiSchema: extended.schema };
  }

  /** How the operations of a request are prepared; `undefined` where nothing may come late.
   *  Errors: `GatewayError` with `BAD_REQUEST` for a budget that is none. */
  choiceFor(supergraph: Supergraph, headers: ReadonlyMap<string, string>): EnrichmentChoice | undefined {
    const rules = this.#rules.get(supergraph);
    if (rules === undefined) return undefined;
    const budget = this.#requestBudget(headers);
    return {
      ruleOf: (parentType, fieldName) => rules.ruleOf(parentType, fieldName),
      isFused: (used) =>
        this.#options.config.enrichment.shadow ||
        used.every((rule) => this.adaptation.wayOf(rule, this.#budgetOf(rule, budget)) === 'inline'),
    };
  }

  /** Errors: as `choiceFor`, and for a preference that is none. */
  planFor({ enrichments }: PreparedOperation, { headers, incremental }: OperationRequest): BudgetPlan {
    const budget = this.#requestBudget(headers);
    const isStreamed = wantsAutoDefer(headers) && incremental !== undefined;
    const ways = enrichments.map(({ id, rule }) => {
      const budgetMs = this.#budgetOf(rule, budget);
      const way = this.adaptation.wayOf(rule, budgetMs);
      const awaited: AwaitedEnrichment = { id, rule, budgetMs: way === 'late' ? 0 : budgetMs };
      return { way, awaited };
    });
    return {
      enrichments: ways.map(({ awaited }) => awaited),
      inline: ways.flatMap(({ way, awaited }) => (way === 'inline' ? [awaited] : [])),
      isShadow: this.#options.config.enrichment.shadow,
      isStreamed,
    };
  }

  /** An enrichment was ready so long after the request's start; `Infinity` where it was given up. */
  noteReady({ rule }: AwaitedEnrichment, latencyMs: number): void {
    this.adaptation.observe(rule, latencyMs);
    this.#options.observer.onReady({ coordinate: rule.coordinate, latencyMs });
  }

  /** The budget of an enrichment is over, and it is not there. */
  noteOverdue({ rule, budgetMs }: AwaitedEnrichment): void {
    this.adaptation.noteOverdue(rule, budgetMs);
  }

  /** What has become of an enrichment in a first answer. */
  noteAnswered({ rule: { coordinate } }: AwaitedEnrichment, outcome: AnsweredOutcome): void {
    this.#options.observer.onAnswered({ coordinate, outcome });
  }

  handOver(
    job: EnrichmentJob,
    run: EnrichmentRun,
    { headers }: OperationRequest,
  ): Promise<Ticket | undefined> {
    return this.#options.late().handOver(job, run, this.callerOf(headers));
  }

  /** Those that subgraphs get, or that say whose a request is. */
  headersToKeep(headers: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
    return [...this.#keptHeaders].flatMap((name): [string, string][] => {
      const value = headers.get(name);
      return value === undefined ? [] : [[name, value]];
    });
  }

  /** Who may pick up what is late: whoever has the same identity, as the cache knows it; where nobody has said what
   *  that is, whoever has the same `authorization`. `headers` has lower case names. */
  callerOf(headers: ReadonlyMap<string, string>): Caller {
    const source = this.#options.config.cache.identity;
    const isConfigured = source?.header !== undefined || source?.jwtClaim !== undefined;
    const identity = isConfigured ? identityOf(source, headers) : headers.get('authorization');
    return { identity: JSON.stringify(identity ?? null) };
  }

  #requestBudget(headers: ReadonlyMap<string, string>): number | undefined {
    return requestBudgetOf(headers, this.#options.config.enrichment.bounds);
  }

  /** What the client says counts for every field. */
  #budgetOf(rule: EnrichmentRule, requestBudget: number | undefined): number {
    return requestBudget ?? rule.budgetMs ?? this.#options.config.enrichment.budget;
  }
}
