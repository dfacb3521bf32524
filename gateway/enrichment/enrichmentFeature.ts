import type { GatewayConfig } from '../config/schema.ts';
import { Enriching } from '../enriched-answers/enriching.ts';
import { usesRedis } from '../redis/redisOptions.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { EnrichmentRouteOptions } from '../transport/http/enrichmentRoute.ts';
import { headerMap } from '../transport/http/headerMap.ts';
import type { JobsRouteOptions } from '../transport/http/jobsRoute.ts';
import type { EnrichmentRunner } from './enrichmentJob.ts';
import type { EnrichmentObserver } from './enrichmentObserver.ts';
import type { LateObserver } from './late/lateObserver.ts';
import type { LateWorks } from './late/lateWorks.ts';
import { createMemoryLateEnrichments } from './late/memoryLateEnrichments.ts';
import { createRedisLateEnrichments } from './late/redisLateEnrichments.ts';

export interface EnrichmentFeatureOptions {
  readonly config: GatewayConfig;
  readonly observer: EnrichmentObserver & LateObserver;
  readonly log: Logger;
}

/** Enrichments as they are configured: budgets of first answers, late work, and the routes by which it is picked up. */
export class EnrichmentFeature {
  readonly enriching: Enriching;
  readonly #options: EnrichmentFeatureOptions;
  #runner: EnrichmentRunner | undefined;
  #late: LateWorks | undefined;
  readonly #drained = new AbortController();

  constructor(options: EnrichmentFeatureOptions) {
    this.#options = options;
    this.enriching = new Enriching({ ...options, late: () => this.#started });
  }

  /** To be called once, before the first request: who does what is late. */
  start(runner: EnrichmentRunner): void {
    this.#runner = runner;
  }

  /** What the routes need by which late work is picked up, and looked after. */
  get pickUp(): Pick<EnrichmentRouteOptions, 'late' | 'callerOf'> & JobsRouteOptions {
    return {
      late: {
        follow: (...asked) => this.#started.follow(...asked),
        arrived: (...asked) => this.#started.arrived(...asked),
      },
      callerOf: (headers) => this.enriching.callerOf(headerMap(headers)),
      jobs: { list: (query) => this.#started.list(query), retry: (id) => this.#started.retry(id) },
    };
  }

  /** Jobs that are under way or wait in this process. */
  get pending(): number {
    return this.#late?.pending ?? 0;
  }

  /** Resolves when nothing is left that only this process could be asked for. */
  async drain(): Promise<void> {
    if (usesRedis(this.#options.config.redis)) return;
    await this.#late?.drain();
    // A turn for those who follow: what has come is written to them.
    await new Promise((resolve) => setImmediate(resolve));
    this.#drained.abort();
  }

  /** Aborted when those who follow are to go to another process. `draining`: this one begins to drain. */
  lettingGo(draining: AbortSignal): AbortSignal {
    return usesRedis(this.#options.config.redis) ? draining : this.#drained.signal;
  }

  /** `withinMs`: how long what is under way gets. */
  async close(withinMs: number): Promise<void> {
    await this.#late?.close(withinMs);
  }

  /** A gateway whose graph has no enrichments needs none of it: no connection, and nobody who looks after others' work. */
  get #started(): LateWorks {
    this.#late ??= this.#create();
    return this.#late;
  }

  #create(): LateWorks {
    const { config, observer, log } = this.#options;
    if (this.#runner === undefined) throw new Error('Nobody does what is late.');
    const options = {
      runner: this.#runner,
      policy: config.enrichment,
      attemptDeadline: config.subgraphs.all.timeouts.deadline,
      drainTimeout: config.listen.drainTimeout,
      observer,
      log,
    };
    return usesRedis(config.redis)
      ? createRedisLateEnrichments({ ...options, config: config.redis })
      : createMemoryLateEnrichments(options);
  }
}
