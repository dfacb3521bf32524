import type { GatewayConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { EstimatedCost } from '../operation/compileCost.ts';
import type { CostEstimator } from '../operation/costEstimator.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { OperationCost } from '../response/measureCost.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { addressKey } from './addressKey.ts';
import type { AdmissionQueue, WaitingRequest } from './admissionQueue.ts';
import { readPriority } from './clientPreferences.ts';
import type { ClientRequest } from './clientRequest.ts';
import { toHttpError } from './errorResponse.ts';
import type { LoadShedder, ShedReason } from './loadShedder.ts';
import type { QueueOverload } from './queueOverload.ts';
import type { RateLimiter, RateLimitResult } from './rateLimiter.ts';
import type { RequestPriorities } from './requestPriorities.ts';
import type { TrafficMetrics } from './trafficMetrics.ts';

interface TrafficControlOptions {
  readonly rate: GatewayConfig['limits']['rate'];
  /** `limits.cost.max`; 0 for no limit. */
  readonly maxCost: number;
  /** `undefined` if nothing needs the cost of operations. */
  readonly costs: CostEstimator | undefined;
  /** `undefined` if there is no limit. Needs `costs`. */
  readonly rateLimiter: RateLimiter | undefined;
  readonly shedder: LoadShedder;
  readonly admissionQueue: AdmissionQueue;
  readonly queueOverload: Pick<QueueOverload, 'affectsNormal'>;
  readonly priorities: RequestPriorities;
  readonly metrics: TrafficMetrics;
}

/** Refuses requests of all transports to protect the others, or lets them wait. A request is checked twice: before its
 *  operation is parsed, which must cost little, and when the operation is known and valid. */
export class TrafficControl {
  readonly #options: TrafficControlOptions;

  constructor(options: TrafficControlOptions) {
    this.#options = options;
  }

  /** Starts to sample the load. */
  onListening(): void {
    this.#options.shedder.start();
  }

  /** Reads the costs of a supergraph that is being loaded (`Feature.readSupergraph`). */
  readSupergraph(reading: Parameters<CostEstimator['readSupergraph']>[0]) {
    return this.#options.costs?.readSupergraph(reading);
  }

  async close(): Promise<void> {
    this.#options.shedder.stop();
    this.#options.rateLimiter?.close();
  }

  /** An HTTP request has arrived whose body is not read yet. `claim`: its header `tributary-priority`. Returns `undefined` if
   *  it may be read at once. */
  holdBack(claim: string | undefined): WaitingRequest | undefined {
    const { admissionQueue, shedder, priorities } = this.#options;
    if (!admissionQueue.isClosed || !priorities.areClaimed) return undefined;
    // The request may be refused at once.
    if (shedder.isShedding) return undefined;
    return admissionQueue.enter(priorities.priorityByClaim(claimedPriority(claim), false));
  }

  /** Checks a request before its operation is known.
   *  @throws {HttpError} `OVERLOADED` if the request is shed regardless of its operation. */
  checkRequest({ headers, caller }: Pick<ClientRequest, 'headers' | 'caller'>): void {
    const { shedder, priorities } = this.#options;
    if (!shedder.isShedding) return;
    const isIdentified = caller.identity !== undefined;
    const claimed = claimedPriority(headers.get('tributary-priority'));
    if (shedder.shedReasonOf(priorities.highestPriorityOf(claimed, isIdentified)) === undefined) return;
    const error = this.#shed(priorities.priorityByClaim(claimed, isIdentified));
    if (error !== undefined) throw toHttpError(error);
  }

  /** Checks a valid operation before it is prepared. Returns its cost, or `undefined` if nothing needs it: at once if
   *  there is no rate limit.
   *  @throws {GatewayError} `OVERLOADED` if it is shed, `OPERATION_TOO_COMPLEX` if it costs too much, `RATE_LIMITED` if its
   *  client has sent too much. */
  checkOperation(
    request: OperationRequest,
    context: RequestContext,
    supergraph: Supergraph,
  ): OperationCost | undefined | Promise<OperationCost> {
    const error = this.#shed(context.preferences.priority ?? 'normal');
    if (error !== undefined) throw error;
    const { costs, rateLimiter } = this.#options;
    if (costs === undefined) return undefined;
    const estimated = costs.estimate(request, supergraph);
    this.#checkCost(estimated);
    const cost = { estimated: estimated.cost, weights: costs.rulesOf(supergraph).weights };
    if (rateLimiter === undefined) return cost;
    return this.#spendRate(rateLimiter, Math.max(1, estimated.cost), request, context).then(() => cost);
  }

  /** Whether requests of this priority are refused, because the process is overloaded. */
  isShed(priority: RequestPriority): boolean {
    return this.#options.shedder.shedReasonOf(priority) !== undefined;
  }

  /** See `LoadShedder`. */
  get eventLoopDelayMs(): number {
    return this.#options.shedder.eventLoopDelayMs;
  }

  /** Why a load balancer should send no requests here at present. A process that sheds background requests only is
   *  ready. */
  get unreadyReasons(): readonly { readonly code: string; readonly message: string }[] {
    const { shedder, queueOverload } = this.#options;
    const reason = shedder.shedReasonOf('normal') ?? (queueOverload.affectsNormal ? 'queue_time' : undefined);
    return reason === undefined ? [] : [{ code: 'OVERLOADED', message: reasonTexts[reason] }];
  }

  #checkCost({ cost, unslicedField }: EstimatedCost): void {
    const { maxCost, rate } = this.#options;
    if (maxCost > 0 && cost > maxCost) {
      throw tooExpensiveError('cost', cost, maxCost, 'limits.cost.max');
    }
    if (maxCost > 0 && unslicedField !== undefined) {
      throw new GatewayError(
        'OPERATION_TOO_COMPLEX',
        `The field ${unslicedField} needs exactly one of the arguments that limit the size of its list.`,
      );
    }
    // The operation would be refused however long the client waits.
    if (rate.cost > 0 && cost > rate.cost) {
      throw tooExpensiveError('rate.cost', cost, rate.cost, 'limits.rate.cost');
    }
  }

  async #spendRate(
    limiter: RateLimiter,
    cost: number,
    request: OperationRequest,
    context: RequestContext,
  ): Promise<void> {
    const { rate, metrics } = this.#options;
    const result = await limiter.spend(rateKeyOf(rate.key, request, context), cost);
    setRateHeaders(request.responseHeaders, rate, result);
    if (result.isAllowed) return;
    metrics.onRateLimited();
    request.responseHeaders?.set('retry-after', String(Math.max(1, toSeconds(result.resetMs))));
    throw new GatewayError(
      'RATE_LIMITED',
      'The client has sent too many operations. Send this one again after `retryAfterMs`.',
      { extensions: { retryAfterMs: result.resetMs } },
    );
  }

  /** The error of a request with this priority, which is counted; `undefined` if the request is served. */
  #shed(priority: RequestPriority): GatewayError | undefined {
    const { shedder, metrics } = this.#options;
    const reason = shedder.shedReasonOf(priority);
    if (reason === undefined) return undefined;
    metrics.onShed(priority, reason);
    return new GatewayError(
      'OVERLOADED',
      `The gateway is overloaded and does not serve requests of priority ${priority}. Try again later.`,
    );
  }
}

function tooExpensiveError(limit: string, value: number, allowed: number, option: string): GatewayError {
  return new GatewayError(
    'OPERATION_TOO_COMPLEX',
    `The operation has an estimated cost of ${value}; at most ${allowed} is allowed (${option}). Select less, or shorter lists.`,
    { extensions: { limit, value, allowed } },
  );
}

/** `key`: `limits.rate.key`. */
function rateKeyOf(
  key: string,
  { headers, clientAddress }: OperationRequest,
  context: RequestContext,
): string {
  if (key === 'identity') return context.clientKey;
  const name = key.startsWith('header:') ? key.slice('header:'.length) : '';
  const value = headers.get(name);
  return value === undefined ? addressKey(clientAddress) : `header ${value}`;
}

/** Sets the header fields of the IETF draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10). */
function setRateHeaders(
  headers: OperationRequest['responseHeaders'],
  { cost, window }: GatewayConfig['limits']['rate'],
  { remaining, resetMs }: RateLimitResult,
): void {
  headers?.set('ratelimit-policy', `"default";q=${cost};w=${toSeconds(window)}`);
  headers?.set('ratelimit', `"default";r=${remaining};t=${toSeconds(resetMs)}`);
}

function toSeconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

const reasonTexts: Readonly<Record<ShedReason, string>> = {
  event_loop:
    'The process has more to do than it can: its event loop is late, and requests are shed (overload.eventLoopDelay).',
  memory: 'The process is short of memory, and requests are shed (overload.memory).',
  queue_time:
    'The process has more requests than it can execute, and those that wait too long fail (overload.executionQueueTime).',
};

/** An invalid header is refused when the operation is known. */
function claimedPriority(claim: string | undefined): RequestPriority | undefined {
  try {
    return readPriority(claim);
  } catch {
    return undefined;
  }
}
