import { AdmissionQueue } from './admission/admissionQueue.ts';
import type { ExecuteOperation } from './admission/apolloPipeline.ts';
import { createTrafficControl } from './admission/createTrafficControl.ts';
import { type LoadSource, ProcessLoad } from './admission/processLoad.ts';
import { QueueOverload } from './admission/queueOverload.ts';
import { RequestContextFactory } from './admission/requestContextFactory.ts';
import { RequestPriorities } from './admission/requestPriorities.ts';
import type { TrafficControl } from './admission/trafficControl.ts';
import { registerExecutionQueueMetrics, TrafficMetrics } from './admission/trafficMetrics.ts';
import type { EnrichmentFeature } from './enrichment/enrichmentFeature.ts';
import { ExecutionQueue } from './execution/executionQueue.ts';
import { SubgraphFetchSender } from './execution/subgraphFetchSender.ts';
import type { ExtensionFeature } from './extensions/extensionFeature.ts';
import type { Feature, FeatureContext } from './feature.ts';
import { createFetchChain, observersOf } from './fetchChain.ts';
import { Authorizer } from './operation/authorization/authorizer.ts';
import type { OperationRequest } from './operation/operationRequest.ts';
import { createOverrideDecisions } from './operation/overrideDecision.ts';
import type { Preparer } from './operation/preparer.ts';
import { Pipeline } from './pipeline.ts';
import type { ErrorPolicy } from './response/formatErrors.ts';
import { registerResponseMetrics } from './response/responseMetrics.ts';
import { SharedResponses } from './response/sharedResponses.ts';
import type { RequestPriority } from './subgraphs/policies/callPriority.ts';
import type { SubgraphClient } from './subgraphs/subgraphClient.ts';
import type { SubscriptionFeature } from './subscriptions/subscriptionFeature.ts';
import type { Supergraph } from './supergraph/supergraph.ts';
import { ProblemLog } from './telemetry/problemLog.ts';
import { createUtilizationReader } from './time/createUtilizationReader.ts';

interface RequestPathOptions {
  readonly context: FeatureContext;
  /** Without those that the request path brings itself. */
  readonly features: readonly Feature[];
  readonly preparer: Preparer;
  readonly client: SubgraphClient;
  readonly subscriptions: SubscriptionFeature;
  readonly enrichment: EnrichmentFeature;
  readonly extensions: ExtensionFeature | undefined;
  /** What `overload` measures. Default: the load of this process. */
  readonly load?: LoadSource;
  /** Default: `Math.random`. */
  readonly random?: () => number;
}

/** The stages that an operation passes from its admission to its response. */
interface RequestPath {
  /** Runs an operation that transports have admitted. */
  readonly executeOperation: ExecuteOperation;
  readonly traffic: TrafficControl;
  /** The stages that read supergraphs, or have routes. */
  readonly features: readonly Feature[];
}

/** Builds the stages with the features that extend them. Jobs of enrichments run on the same path. */
export function createRequestPath(options: RequestPathOptions): RequestPath {
  const { context, features, preparer, client, subscriptions, enrichment, extensions } = options;
  const { config, log, metrics, supergraphs, openStream, tracing } = context;
  const admission = createAdmissionControl(context, options.load ?? new ProcessLoad());
  const { traffic, priorities, executionQueue, onQueueTimeExceeded } = admission;
  const authorizer = new Authorizer({
    onDenied: config.security.authorization.onDenied,
    deciders: features,
  });
  const sharedResponses = new SharedResponses();
  registerResponseMetrics(metrics.registry, () => sharedResponses.joinCount);
  const onOperation = createOperationListener(features);
  const pipeline = new Pipeline({
    preparer,
    authorizer,
    traffic,
    fetchesOf: createFetchChain(new SubgraphFetchSender(client, config.batching), features),
    subscriptions: subscriptions.subscriptions,
    enrichment: enrichment.coordinator,
    openStream,
    sharedResponses: config.batching.acrossRequests ? sharedResponses : undefined,
    maxWaitMs: config.batching.maxWait,
    errorPolicy: createErrorPolicy(context),
    responseSize: config.limits.responseSize,
    executionQueue,
    onQueueTimeExceeded,
    tracing,
    onInternalError: (err, request) => log.error({ err, ...request }, 'A fetch failed unexpectedly'),
    onPlanningFailed: (err, request) =>
      log.error({ err, ...request }, 'A valid operation could not be planned'),
    requestContexts: new RequestContextFactory({
      config,
      priorities,
      overridesFor: createOverrideDecisions(config.override, options.random ?? Math.random),
    }),
    extendContext: extensions?.extendContext,
    observeExecution: observersOf(features),
    onPrepared: (request, operation) => {
      onOperation(request);
      return extensions?.onPlan?.(request, operation);
    },
  });
  enrichment.runJobsWith({
    executor: pipeline.createJobExecutor(() => supergraphs.acquire()),
    isShed: (priority) => traffic.isShed(priority),
  });
  const replanSubscriptions = (supergraph: Supergraph): void => {
    pipeline
      .replanSubscriptions(supergraph)
      .catch((err: unknown) => log.error({ err }, 'Replanning subscriptions for the new supergraph failed'));
  };
  const execute: ExecuteOperation = (request, supergraph) => pipeline.respond(request, supergraph);
  return {
    executeOperation: extensions?.decorateExecution?.(execute) ?? execute,
    traffic,
    features: [authorizer, traffic, { onSupergraph: replanSubscriptions, close: admission.close }],
  };
}

/** Creates what decides whether and when a request is executed: priorities, limits, and the queues in which requests wait
 *  while the event loop is saturated. */
function createAdmissionControl(context: FeatureContext, load: LoadSource) {
  const { config, log, timers, metrics } = context;
  const trafficMetrics = new TrafficMetrics(metrics.registry);
  const countWaiting = (): number => executionQueue.length + admissionQueue.length;
  const queueOverload = new QueueOverload({
    log,
    timers,
    countWaiting,
    isQueueOverloaded: (priority) =>
      executionQueue.isOverloaded(priority) || admissionQueue.isOverloaded(priority),
  });
  const onQueueTimeExceeded = (priority: RequestPriority): void => {
    trafficMetrics.onShed(priority, 'queue_time');
    queueOverload.onFail();
  };
  const queueTimeMs = config.overload.executionQueueTime;
  const executionQueue = new ExecutionQueue({
    queueTimeMs,
    timers,
    readUtilization: createUtilizationReader(),
    onDrop: (priority) => queueOverload.onDrop(priority),
  });
  const admissionQueue = new AdmissionQueue({
    queueTimeMs,
    executionQueue,
    onDrop: (priority) => {
      queueOverload.onDrop(priority);
      onQueueTimeExceeded(priority);
    },
    now: () => timers.now(),
    inNextTurn: setImmediate,
  });
  executionQueue.onWaitEnd(() => admissionQueue.onWaitEnd());
  registerExecutionQueueMetrics(metrics.registry, countWaiting);
  const priorities = new RequestPriorities(config.overload.priorities);
  const traffic = createTrafficControl({
    ...context,
    priorities,
    load,
    trafficMetrics,
    admissionQueue,
    queueOverload,
  });
  const close = async (): Promise<void> => queueOverload.close();
  return { traffic, priorities, executionQueue, onQueueTimeExceeded, close };
}

/** Which errors of subgraphs clients see, and how data that does not fit the supergraph is logged. */
function createErrorPolicy({ config, log, now }: FeatureContext): ErrorPolicy {
  const { exposeSubgraphErrors, exposeSubgraphs } = config.security;
  const invalidData = new ProblemLog({
    log,
    message: 'A subgraph returned data that does not fit the supergraph',
    now,
  });
  return {
    exposeSubgraphErrors,
    exposeSubgraphs,
    onInvalidData: (subgraph, problem) => invalidData.report('invalid_data', problem, { subgraph }),
  };
}

/** Returns a function that calls `onOperation` of each feature that has it. Looks these up at the first operation: features
 *  are added after the request path. */
function createOperationListener(features: readonly Feature[]): (request: OperationRequest) => void {
  let listening: readonly Feature[] | undefined;
  return (request) => {
    listening ??= features.filter(({ onOperation }) => onOperation !== undefined);
    for (const feature of listening) feature.onOperation?.(request);
  };
}
