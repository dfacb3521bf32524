import type { GatewayConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import { readPriority } from './clientPreferences.ts';
import type { ClientRequest } from './clientRequest.ts';
import { headersOf } from './errorResponse.ts';
import { HttpError } from './httpError.ts';
import type { ReadIdentity } from './identity.ts';
import type { LoadShedder, ShedReason } from './loadShedder.ts';
import type { RateLimiter, RateLimitResult } from './rateLimiter.ts';
import type { RequestPriorities } from './requestPriorities.ts';
import type { TrafficMetrics } from './trafficMetrics.ts';

interface TrafficControlOptions {
  readonly rate: GatewayConfig['limits']['rate'];
  /** `undefined` if there is no limit. */
  readonly rateLimiter: RateLimiter | undefined;
  readonly shedder: LoadShedder;
  readonly priorities: RequestPriorities;
  readonly readIdentity: ReadIdentity;
  readonly metrics: TrafficMetrics;
}

/** Refuses requests for the sake of others, whatever transport they came by. A request is checked twice: before its
 *  operation is parsed, which must cost little, and when the operation is known and valid. */
export class TrafficControl {
  readonly #options: TrafficControlOptions;

  constructor(options: TrafficControlOptions) {
    this.#options = options;
  }

  /** Starts to sample the load. */
  start(): void {
    this.#options.shedder.start();
  }

  close(): void {
    this.#options.shedder.stop();
    this.#options.rateLimiter?.close();
  }

  /** Checks a request before its operation is known.
   *  @throws {HttpError} `OVERLOADED` if the request is shed whatever its operation is. */
  checkRequest({ headers, clientAddress }: Pick<ClientRequest, 'headers' | 'clientAddress'>): void {
    const { shedder, priorities, readIdentity } = this.#options;
    if (!shedder.isShedding) return;
    const isIdentified = readIdentity(headers, clientAddress).identity !== undefined;
    const claimed = claimedPriority(headers);
    if (shedder.shedReasonOf(priorities.highestPriorityOf(claimed, isIdentified)) === undefined) return;
    const error = this.#shed(priorities.priorityByClaim(claimed, isIdentified));
    if (error === undefined) return;
    throw new HttpError(error.status, error.message, {
      code: error.code,
      headers: Object.fromEntries(headersOf(error.toFormatted())),
    });
  }

  /** Checks a valid operation before it is prepared. Synchronous unless there is a rate limit.
   *  @throws {GatewayError} `OVERLOADED` if it is shed, `RATE_LIMITED` if its client has sent too much. */
  checkOperation(request: OperationRequest, context: RequestContext): void | Promise<void> {
    const error = this.#shed(context.preferences.priority ?? 'normal');
    if (error !== undefined) throw error;
    const { rateLimiter } = this.#options;
    if (rateLimiter !== undefined) return this.#spendRate(rateLimiter, request, context);
  }

  /** Why a load balancer should send no requests here at present. A process that sheds background requests only is
   *  ready. */
  get unreadyReasons(): readonly { readonly code: string; readonly message: string }[] {
    const reason = this.#options.shedder.shedReasonOf('normal');
    return reason === undefined ? [] : [{ code: 'OVERLOADED', message: reasonTexts[reason] }];
  }

  async #spendRate(limiter: RateLimiter, request: OperationRequest, context: RequestContext): Promise<void> {
    const { rate, metrics } = this.#options;
    const result = await limiter.spend(rateKeyOf(rate.key, request, context), 1);
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

/** `key`: `limits.rate.key`. */
function rateKeyOf(
  key: string,
  { headers, clientAddress }: OperationRequest,
  context: RequestContext,
): string {
  if (key === 'identity') return context.clientKey;
  const name = key.startsWith('header:') ? key.slice('header:'.length) : '';
  const value = headers.get(name);
  return value === undefined ? `address ${clientAddress}` : `header ${value}`;
}

/** Sets the header fields of the IETF draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10). */
function setRateHeaders(
  headers: Map<string, string> | undefined,
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
};

/** An invalid header is refused when the operation is known. */
function claimedPriority(headers: ReadonlyMap<string, string>): RequestPriority | undefined {
  try {
    return readPriority(headers);
  } catch {
    return undefined;
  }
}
