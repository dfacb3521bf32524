import type { GatewayConfig } from '../config/schema.ts';
import { CostEstimator } from '../operation/costEstimator.ts';
import { ReadClient } from '../redis/readClient.ts';
import { isRedisConfigured } from '../redis/redisOptions.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ProblemLog } from '../telemetry/problemLog.ts';
import type { Timers } from '../time/timers.ts';
import type { AdmissionQueue } from './admissionQueue.ts';
import { LoadShedder } from './loadShedder.ts';
import type { LoadSource } from './processLoad.ts';
import type { QueueOverload } from './queueOverload.ts';
import { RateLimiter } from './rateLimiter.ts';
import type { RequestPriorities } from './requestPriorities.ts';
import { TrafficControl } from './trafficControl.ts';
import type { TrafficMetrics } from './trafficMetrics.ts';

interface CreateTrafficControlOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  readonly load: LoadSource;
  readonly priorities: RequestPriorities;
  readonly trafficMetrics: TrafficMetrics;
  readonly admissionQueue: AdmissionQueue;
  readonly queueOverload: QueueOverload;
}

/** Creates the traffic control of a configuration. */
export function createTrafficControl(options: CreateTrafficControlOptions): TrafficControl {
  const { config, log, timers, load, priorities, trafficMetrics, admissionQueue, queueOverload } = options;
  const shedder = new LoadShedder({
    limits: config.overload,
    timers,
    load,
    onReport: (shed, sample) => {
      if (shed.length > 0) log.warn({ shed, ...sample }, 'Requests of some priorities are shed (overload)');
      else log.info(sample, 'No requests have been shed for a minute');
    },
  });
  return new TrafficControl({
    shedder,
    rate: config.limits.rate,
    maxCost: config.limits.cost.max,
    costs: needsCosts(config) ? new CostEstimator(config.limits.cost.listSize) : undefined,
    rateLimiter: createRateLimiter(options),
    priorities,
    metrics: trafficMetrics,
    admissionQueue,
    queueOverload,
  });
}

function createRateLimiter({
  config: { limits, redis },
  log,
  timers,
  now,
}: CreateTrafficControlOptions): RateLimiter | undefined {
  const { cost, window: windowMs } = limits.rate;
  if (cost === 0) return undefined;
  const problems = new ProblemLog<'redis'>({
    log,
    now,
    message: 'Rate limits are counted by this process alone, because Redis cannot be used',
  });
  const onFallback = ({ message }: Error): void => problems.report('redis', message);
  const shared = isRedisConfigured(redis)
    ? {
        redis: new ReadClient({ config: redis, timers, onFailure: ({ cause }) => onFallback(cause) }),
        keyPrefix: redis.keyPrefix,
      }
    : undefined;
  return new RateLimiter({ cost, windowMs, shared, now: () => timers.now(), onFallback });
}

function needsCosts({ limits, security }: GatewayConfig): boolean {
  return limits.cost.max > 0 || limits.rate.cost > 0 || security.exposeSubgraphs;
}
