import type { Feature, FeatureContext, SupergraphFindings, SupergraphReading } from '../feature.ts';
import { isRedisConfigured } from '../redis/redisOptions.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { OtherWorkers } from '../telemetry/workerMetrics.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { createClientAddressReader } from '../transport/http/clientAddress.ts';
import { CompressionPolicy } from '../transport/http/compression.ts';
import { CorsPolicy, corsOptionsOf } from '../transport/http/cors.ts';
import type { Routes } from '../transport/http/routes.ts';
import type { JobExecutor } from './enrichmentJob.ts';
import { EnrichmentMetrics } from './enrichmentMetrics.ts';
import { addEnrichmentRoute } from './enrichmentRoute.ts';
import { createEnrichmentJobs } from './jobs/createEnrichmentJobs.ts';
import type { EnrichmentJobs } from './jobs/enrichmentJobs.ts';
import type { JobAdmin, JobView } from './jobs/jobAdmin.ts';
import { WorkerJobAdmin } from './jobs/workerJobAdmin.ts';
import { addJobsRoute } from './jobsRoute.ts';
import { requestPriorityOf } from './requestPriorityOf.ts';
import { EnrichmentCoordinator } from './responses/enrichmentCoordinator.ts';

interface JobExecution {
  readonly executor: JobExecutor;
  /** Whether requests of this priority are refused, because the process is overloaded. */
  isShed(priority: RequestPriority): boolean;
}

/** Enrichments: latency budgets of first responses, the jobs that finish what missed its budget, and the routes by which
 *  clients fetch pending fields. */
export class EnrichmentFeature implements Feature {
  readonly coordinator: EnrichmentCoordinator;
  readonly #context: FeatureContext;
  readonly #observer: EnrichmentMetrics;
  readonly #jobAdmin: JobAdmin;
  #execution: JobExecution | undefined;
  #jobs: EnrichmentJobs | undefined;
  readonly #drained = new AbortController();

  /** `workers`: the other processes that share the port. */
  constructor(context: FeatureContext, workers?: OtherWorkers) {
    this.#context = context;
    const { config, log, metrics } = context;
    this.#observer = new EnrichmentMetrics({
      registry: metrics.registry,
      countJobs: () => this.#jobs?.count ?? 0,
      oldestJobMs: () => this.#jobs?.oldestAgeMs ?? 0,
      readDeliveryModes: () => this.coordinator.adaptiveDelivery.snapshot(),
    });
    this.coordinator = new EnrichmentCoordinator({
      config,
      log,
      observer: this.#observer,
      deferredEnrichments: () => this.#openJobs(),
    });
    const own: JobAdmin = {
      list: async (query) => this.#openJobs().list(query),
      retry: async (id) => this.#openJobs().retry(id),
    };
    const isShared = isRedisConfigured(config.redis) || workers === undefined;
    this.#jobAdmin = isShared ? own : new WorkerJobAdmin(own, workers);
  }

  /** Sets what runs jobs. Called once, before the first supergraph is loaded. */
  runJobsWith(execution: JobExecution): void {
    this.#execution = execution;
  }

  readSupergraph(reading: SupergraphReading): SupergraphFindings | undefined {
    return this.coordinator.readSupergraph(reading);
  }

  /** With enrichments, this process also resumes jobs of processes that have died. */
  onSupergraph(supergraph: Supergraph): void {
    if (this.#jobs !== undefined || this.coordinator.hasEnrichments(supergraph)) this.#openJobs();
  }

  addPublicRoutes(routes: Routes, draining: AbortSignal): void {
    const { config, openStream, authentication, tracing, timers, log } = this.#context;
    const { bufferSize, readTimeout, heartbeat } = config.delivery;
    const cors = new CorsPolicy(corsOptionsOf(config));
    addEnrichmentRoute(routes, {
      enrichments: {
        subscribe: (...query) => this.#openJobs().subscribe(...query),
        readArrived: (...query) => this.#openJobs().readArrived(...query),
      },
      authentication,
      tracing,
      openStream,
      clientAddressOf: createClientAddressReader(config.listen.trustedProxies),
      // With Redis another process continues to serve a token; without it, clients stay while an attempt of a job is running.
      drainSignal: isRedisConfigured(config.redis) ? draining : this.#drained.signal,
      cors,
      compression: new CompressionPolicy(config.listen.compression, cors, config.listen.tls.ca !== ''),
      bufferSize,
      readTimeoutMs: readTimeout,
      heartbeatIntervalMs: heartbeat,
      timers,
      log,
    });
  }

  addAdminRoutes(routes: Routes): void {
    addJobsRoute(routes, this.#jobAdmin);
  }

  /** Jobs that wait or have failed, of all workers. */
  listJobs(limit: number): Promise<readonly JobView[]> {
    return this.#jobAdmin.list({ state: undefined, limit });
  }

  async drain(): Promise<void> {
    if (isRedisConfigured(this.#context.config.redis)) return;
    await this.#jobs?.drain();
    // In this turn of the event loop, the last updates are written to the clients that wait for them.
    await yieldToEventLoop();
    this.#drained.abort();
  }

  async stop(withinMs: number): Promise<void> {
    await this.#jobs?.close(withinMs);
  }

  /** Creates the jobs at the first use: a gateway whose graph has no enrichments needs no connection and no job runner. */
  #openJobs(): EnrichmentJobs {
    this.#jobs ??= this.#createJobs();
    // Without a supergraph, an attempt would end with SUPERGRAPH_CHANGED for every pending field.
    if (this.#context.supergraphs.current() !== undefined) this.#jobs.startResuming();
    return this.#jobs;
  }

  #createJobs(): EnrichmentJobs {
    const { config, log, timers, now } = this.#context;
    if (this.#execution === undefined) throw new Error('runJobsWith() was not called.');
    const { executor, isShed } = this.#execution;
    return createEnrichmentJobs({
      executor,
      isShed: (priority) => isShed(requestPriorityOf(priority)),
      policy: config.enrichment,
      attemptTimeoutMs: config.subgraphs.all.timeouts.deadline,
      timers,
      now,
      observer: this.#observer,
      log,
      redis: config.redis,
    });
  }
}
