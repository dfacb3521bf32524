import { GatewayError } from '../errors.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import { readPriority } from './clientPreferences.ts';
import type { ClientRequest } from './clientRequest.ts';
import { headersOf } from './errorResponse.ts';
import { HttpError } from './httpError.ts';
import type { ReadIdentity } from './identity.ts';
import type { LoadShedder, ShedReason } from './loadShedder.ts';
import type { RequestPriorities } from './requestPriorities.ts';
import type { TrafficMetrics } from './trafficMetrics.ts';

interface TrafficControlOptions {
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

  /** Checks a valid operation before it is prepared.
   *  @throws {GatewayError} `OVERLOADED` if it is shed. */
  checkOperation({ preferences }: RequestContext): void {
    const error = this.#shed(preferences.priority ?? 'normal');
    if (error !== undefined) throw error;
  }

  /** Why a load balancer should send no requests here at present. A process that sheds background requests only is
   *  ready. */
  get unreadyReasons(): readonly { readonly code: string; readonly message: string }[] {
    const reason = this.#options.shedder.shedReasonOf('normal');
    return reason === undefined ? [] : [{ code: 'OVERLOADED', message: reasonTexts[reason] }];
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
