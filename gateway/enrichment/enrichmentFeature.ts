import { Enriching } from '../enriched-answers/enriching.ts';
import type { Feature, FeatureContext, SupergraphFindings, SupergraphReading } from '../feature.ts';
import { usesRedis } from '../redis/redisOptions.ts';
import { headerMap } from '../transport/http/headerMap.ts';
import type { Routes } from '../transport/http/routes.ts';
import type { EnrichmentRunner } from './enrichmentJob.ts';
import { EnrichmentMetrics } from './enrichmentMetrics.ts';
import { addEnrichmentRoute } from './enrichmentRoute.ts';
import { addJobsRoute } from './jobsRoute.ts';
import type { LateWorks } from './late/lateWorks.ts';
import { createMemoryLateEnrichments } from './late/memoryLateEnrichments.ts';
import { createRedisLateEnrichments } from './late/redisLateEnrichments.ts';

/** Enrichments: latency budgets of first answers, the jobs that finish what missed its budget, and the routes by which
 *  clients fetch the rest. */
export class EnrichmentFeature implements Feature {
  readonly name = 'enrichment';
  readonly enriching: Enriching;
  readonly #context: FeatureContext;
  readonly #observer: EnrichmentMetrics;
  #runner: EnrichmentRunner | undefined;
  #late: LateWorks | undefined;
  readonly #drained = new AbortController();

  constructor(context: FeatureContext) {
    this.#context = context;
    const { config, log, metrics } = context;
    this.#observer = new EnrichmentMetrics({
      registry: metrics.registry,
      jobs: () => this.#late?.pending ?? 0,
      ways: () => this.enriching.adaptation.snapshot(),
    });
    this.enriching = new Enriching({ config, log, observer: this.#observer, late: () => this.#started });
  }

  /** Sets what runs jobs. Called once, before the first supergraph is loaded. */
  runJobsWith(runner: EnrichmentRunner): void {
    this.#runner = runner;
  }

  readSupergraph(reading: SupergraphReading): SupergraphFindings | undefined {
    return this.enriching.readSupergraph(reading);
  }

  addPublicRoutes(routes: Routes, draining: AbortSignal): void {
    const { config, openStream, timers, log } = this.#context;
    const { bufferSize, readTimeout, heartbeat } = config.delivery;
    addEnrichmentRoute(routes, {
      late: {
        follow: (...asked) => this.#started.follow(...asked),
        arrived: (...asked) => this.#started.arrived(...asked),
      },
      callerOf: (headers) => this.enriching.callerOf(headerMap(headers)),
      openStream,
      // With Redis another process continues to serve a token; without it, clients stay until the jobs have ended.
      draining: usesRedis(config.redis) ? draining : this.#drained.signal,
      cors: config.security.cors,
      bufferSize,
      readTimeout,
      heartbeat,
      timers,
      log,
    });
  }

  addAdminRoutes(routes: Routes): void {
    addJobsRoute(routes, {
      jobs: { list: (query) => this.#started.list(query), retry: (id) => this.#started.retry(id) },
    });
  }

  async drain(): Promise<void> {
    if (usesRedis(this.#context.config.redis)) return;
    await this.#late?.drain();
    // One turn of the event loop, in which the last updates are written to the clients that wait for them.
    await new Promise((resolve) => setImmediate(resolve));
    this.#drained.abort();
  }

  async stop(withinMs: number): Promise<void> {
    await this.#late?.close(withinMs);
  }

  /** Created at the first use: a gateway whose graph has no enrichments needs no connection and no job runner. */
  get #started(): LateWorks {
    this.#late ??= this.#create();
    return this.#late;
  }

  #create(): LateWorks {
    const { config, log } = this.#context;
    if (this.#runner === undefined) throw new Error('runJobsWith() was not called.');
    const options = {
      runner: this.#runner,
      policy: config.enrichment,
      attemptDeadline: config.subgraphs.all.timeouts.deadline,
      drainTimeout: config.listen.drainTimeout,
      observer: this.#observer,
      log,
    };
    return usesRedis(config.redis)
      ? createRedisLateEnrichments({ ...options, config: config.redis })
      : createMemoryLateEnrichments(options);
  }
}
