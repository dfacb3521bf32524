import type { IncomingHttpHeaders } from 'node:http';
import type { GatewayConfig } from './config/schema.ts';
import { Enriching } from './enriched-answers/enriching.ts';
import type { EnrichmentRunner } from './enrichment/enrichmentJob.ts';
import type { EnrichmentObserver } from './enrichment/enrichmentObserver.ts';
import type { LateObserver } from './enrichment/late/lateObserver.ts';
import type { LateWorks } from './enrichment/late/lateWorks.ts';
import { createMemoryLateEnrichments } from './enrichment/late/memoryLateEnrichments.ts';
import type { Logger } from './telemetry/logger.ts';
import type { EnrichmentRouteOptions } from './transport/http/enrichmentRoute.ts';
import type { JobsRouteOptions } from './transport/http/jobsRoute.ts';

export interface EnrichmentServingOptions {
  readonly config: GatewayConfig;
  readonly observer: EnrichmentObserver & LateObserver;
  readonly log: Logger;
}

/** Enrichments as they are configured: budgets of first answers, late work, and the routes by which it is picked up. */
export class EnrichmentServing {
  readonly enriching: Enriching;
  readonly #options: EnrichmentServingOptions;
  #late: LateWorks | undefined;

  constructor(options: EnrichmentServingOptions) {
    this.#options = options;
    this.enriching = new Enriching({ ...options, late: () => this.#started });
  }

  /** To be called once, before the first request: from now on there is somebody who finishes what is late. */
  start(runner: EnrichmentRunner): void {
    const { config, observer, log } = this.#options;
    this.#late = createMemoryLateEnrichments({
      runner,
      policy: config.enrichment,
      attemptDeadline: config.subgraphs.all.timeouts.deadline,
      drainTimeout: config.listen.drainTimeout,
      observer,
      log,
    });
  }

  /** What the routes need by which late work is picked up, and looked after. */
  get pickUp(): Pick<EnrichmentRouteOptions, 'late' | 'callerOf'> & JobsRouteOptions {
    return {
      late: this.#started,
      callerOf: (headers) => this.enriching.callerOf(headerMap(headers)),
      jobs: this.#started,
    };
  }

  /** Jobs that are under way or wait in this process. */
  get pending(): number {
    return this.#late?.pending ?? 0;
  }

  async close(): Promise<void> {
    await this.#late?.close();
  }

  get #started(): LateWorks {
    if (this.#late === undefined) throw new Error('Nobody finishes what is late.');
    return this.#late;
  }
}

function headerMap(headers: IncomingHttpHeaders): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return map;
}
