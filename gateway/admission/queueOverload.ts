import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { calmSamplesPerStep, quietSamplesPerEnd, sampleIntervalMs } from './loadShedder.ts';

interface QueueOverloadOptions {
  readonly log: Logger;
  readonly timers: Timers;
  /** How many requests wait for their execution. */
  countWaiting(): number;
  /** Whether requests of this priority have been dropped, and others like them still wait. */
  isQueueOverloaded(priority: RequestPriority): boolean;
}

/** Whether requests fail because they wait too long for their execution. An overload begins with the first one that is
 *  dropped, and ends for the readiness of the process and for the log after as many samples as in `LoadShedder`: an overload
 *  has short gaps, and neither must change with each of them. Without an overload, there is no timer. */
export class QueueOverload {
  readonly #options: QueueOverloadOptions;
  /** Calm samples in a row since a request of any priority was dropped; -1 if one was dropped since the last sample. */
  #calmSamples = quietSamplesPerEnd;
  /** The same for requests of normal priority and more urgent ones. */
  #normalCalmSamples = calmSamplesPerStep;
  /** Since the overload began. */
  #failed = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: QueueOverloadOptions) {
    this.#options = options;
  }

  /** Whether requests of normal priority, or more urgent ones, fail. */
  get affectsNormal(): boolean {
    return this.#normalCalmSamples < calmSamplesPerStep;
  }

  /** A request, or the execution of several, was dropped because it waited too long. */
  onDrop(priority: RequestPriority): void {
    const hasBegun = this.#calmSamples >= quietSamplesPerEnd;
    this.#calmSamples = -1;
    if (priority !== 'background') this.#normalCalmSamples = -1;
    if (!hasBegun) return;
    this.#failed = 0;
    const { log, countWaiting } = this.#options;
    log.warn(
      { waiting: countWaiting() },
      'Requests fail because they wait too long for their execution (overload.executionQueueTime)',
    );
    this.#scheduleSample();
  }

  /** A request fails because it was dropped. */
  onFail(): void {
    this.#failed += 1;
  }

  close(): void {
    this.#cancelTimer?.();
  }

  #scheduleSample(): void {
    this.#cancelTimer = this.#options.timers.after(sampleIntervalMs, () => this.#takeSample());
  }

  #takeSample(): void {
    const { log, isQueueOverloaded } = this.#options;
    this.#normalCalmSamples = isQueueOverloaded('normal') ? 0 : this.#normalCalmSamples + 1;
    // The least urgent priority: it is overloaded with every other one.
    this.#calmSamples = isQueueOverloaded('background') ? 0 : this.#calmSamples + 1;
    if (this.#calmSamples < quietSamplesPerEnd) this.#scheduleSample();
    else
      log.info({ failed: this.#failed }, 'No requests have failed for a minute because they waited too long');
  }
}
