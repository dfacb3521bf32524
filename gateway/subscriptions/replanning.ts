import { GatewayError } from '../errors.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { OperationRequest } from '../operation/request.ts';
import { reconnectDelay } from '../redis/reconnectDelay.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';

/** The operation of a request for another supergraph; `undefined` where it is not valid there. */
export type PrepareAgain = (request: OperationRequest) => Promise<PreparedOperation | undefined>;

interface Replanned {
  readonly subscription: { readonly operation: PreparedOperation; readonly request: OperationRequest };
}

export interface ReplanningOptions<Live extends Replanned> {
  readonly timers: Timers;
  /** All that are under way. */
  all(): Iterable<Live>;
  goOn(live: Live, operation: PreparedOperation): void;
  /** It is not valid any more. */
  refuse(live: Live): void;
}

const delays = { minDelay: 100, maxDelay: 10_000 };

/** How often it is tried to plan an operation for which planning fails, and not just for want of time. */
const mostFailures = 5;

/** Brings every subscription to the latest supergraph, one after the other. What cannot be planned at the moment goes
 *  on as it was, and is tried again. */
export class Replanning<Live extends Replanned> {
  readonly #options: ReplanningOptions<Live>;
  #latest: { readonly supergraph: Supergraph; readonly prepare: PrepareAgain } | undefined;
  #running: Promise<void> | undefined;
  #isAsked = false;
  #attempt = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: ReplanningOptions<Live>) {
    this.#options = options;
  }

  /** Resolves when all have been looked at, with this supergraph or a later one. */
  use(supergraph: Supergraph, prepare: PrepareAgain): Promise<void> {
    this.#latest = { supergraph, prepare };
    this.#attempt = 0;
    return this.#run();
  }

  /** This one has just come. It may have been prepared before a switch. */
  admit({ subscription }: Replanned): void {
    if (this.#latest === undefined || this.#latest.supergraph === subscription.operation.supergraph) return;
    void this.#run();
  }

  close(): void {
    this.#latest = undefined;
    this.#cancelTimer?.();
  }

  #run(): Promise<void> {
    this.#isAsked = true;
    this.#cancelTimer?.();
    this.#running ??= this.#goThroughAll();
    return this.#running;
  }

  async #goThroughAll(): Promise<void> {
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#goThrough();
    }
    this.#running = undefined;
  }

  async #goThrough(): Promise<void> {
    const latest = this.#latest;
    if (latest === undefined) return;
    const { all, goOn, refuse } = this.#options;
    let hasPutOff = false;
    for (const live of all()) {
      const { operation, request } = live.subscription;
      if (operation.supergraph === latest.supergraph) continue;
      const next = await this.#prepare(latest.prepare, request);
      // The next round is for another one.
      if (this.#latest !== latest) return;
      if (next === 'later') hasPutOff = true;
      else if (next === undefined) refuse(live);
      else goOn(live, next);
    }
    if (hasPutOff) this.#tryAgain();
  }

  async #prepare(prepare: PrepareAgain, request: OperationRequest) {
    try {
      return await prepare(request);
    } catch (error) {
      return mayPass(error, this.#attempt) ? 'later' : undefined;
    }
  }

  #tryAgain(): void {
    this.#attempt += 1;
    this.#cancelTimer = this.#options.timers.after(
      reconnectDelay(this.#attempt, delays),
      () => void this.#run(),
    );
  }
}

/** A planner that is busy says nothing about the operation, and one that was lost perhaps nothing. */
function mayPass(error: unknown, attempt: number): boolean {
  const code = error instanceof GatewayError ? error.code : undefined;
  if (code === 'OVERLOADED') return true;
  return (code === undefined || code === 'PLANNING_FAILED') && attempt + 1 < mostFailures;
}
