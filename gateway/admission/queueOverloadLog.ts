import type { Logger } from '../telemetry/logger.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { calmSamplesPerStep, sampleIntervalMs } from './loadShedder.ts';

interface QueueOverloadLogOptions {
  readonly log: Logger;
  readonly timers: Timers;
  /** How many requests wait for their execution. */
  countWaiting(): number;
  /** Whether the newest waiting request of some priority goes first, because others have waited too long. */
  isOverloaded(): boolean;
}

/** Logs when requests begin to fail because they wait too long for their execution, and when that has ended: after as many
 *  calm samples as in `LoadShedder`, because an overload with short gaps would write two lines for each gap. Without an
 *  overload, there is no timer. */
export class QueueOverloadLog {
  readonly #options: QueueOverloadLogOptions;
  /** Since the overload began; 0 without one. */
  #failed = 0;
  #failedBefore = 0;
  #calmSamples = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: QueueOverloadLogOptions) {
    this.#options = options;
  }

  /** A request fails because it waited too long. */
  onDrop(): void {
    this.#failed += 1;
    if (this.#failed > 1) return;
    const { log, countWaiting } = this.#options;
    log.warn(
      { waiting: countWaiting() },
      'Requests fail because they wait too long for their execution (overload.executionQueueTime)',
    );
    this.#calmSamples = 0;
    this.#scheduleSample();
  }

  close(): void {
    this.#cancelTimer?.();
  }

  #scheduleSample(): void {
    this.#cancelTimer = this.#options.timers.after(sampleIntervalMs, () => this.#takeSample());
  }

  #takeSample(): void {
    const isCalm = this.#failed === this.#failedBefore && !this.#options.isOverloaded();
    this.#failedBefore = this.#failed;
    this.#calmSamples = isCalm ? this.#calmSamples + 1 : 0;
    if (this.#calmSamples < calmSamplesPerStep) {
      this.#scheduleSample();
      return;
    }
    this.#options.log.info({ failed: this.#failed }, 'No requests fail any more because they wait too long');
    this.#failed = 0;
    this.#failedBefore = 0;
  }
}
