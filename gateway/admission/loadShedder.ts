import { collectGarbage } from '../memory/collectGarbage.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import type { LoadSample, LoadSource } from './processLoad.ts';

/** Why a request is refused, as a value of the metric's label `reason`. `queue_time`: it waited for its execution for longer
 *  than `overload.executionQueueTime`. The others: the limit of the load that was exceeded last. */
export type ShedReason = (typeof shedReasons)[number];

export const shedReasons = ['event_loop', 'memory', 'queue_time'] as const;

interface LoadShedderOptions {
  /** `overload` of the configuration. `eventLoopDelay` in milliseconds, 0 for no limit; `memory` as a share of the heap
   *  limit, 1 for no limit. */
  readonly limits: { readonly eventLoopDelay: number; readonly memory: number };
  readonly timers: Timers;
  readonly load: LoadSource;
  /** Collects the heap. Blocks the event loop: about a second for 600 MB that are in use. */
  readonly collect?: () => void;
  /** More priorities are shed than before in this overload, or it has ended and `shed` is empty. Must not throw. */
  onReport(shed: readonly RequestPriority[], sample: LoadSample): void;
}

/** The order in which priorities are shed. */
export const sheddingOrder: readonly RequestPriority[] = ['background', 'normal', 'critical'];

export const sampleIntervalMs = 500;

/** Consecutive samples below the lower threshold after which one priority is served again. Without them, the gateway
 *  would serve it at the first sign of relief, be overloaded again, and alternate between the two. */
export const calmSamplesPerStep = 4;

/** Consecutive samples without a refused request after which an overload has ended for the log. A load that swings would
 *  otherwise leave a line at each change. */
export const quietSamplesPerEnd = 120;

/** Consecutive samples for which memory sheds requests and V8 has collected nothing, after which the gateway does. */
const samplesPerCollection = 20;

/** The lower threshold, as a share of the limit. */
const calmShare = 0.8;

/** Decides which requests are refused while the process has too much to do. It samples the load at an interval. A sample
 *  above a limit sheds one more priority, the least urgent of those that are served; several samples in a row that are
 *  well below the limits serve one more. A sample in between changes nothing. */
export class LoadShedder {
  readonly #options: LoadShedderOptions;
  /** How many priorities of `sheddingOrder` are shed. */
  #level = 0;
  #calmSamples = 0;
  /** How many priorities were shed at most in this overload. */
  #reportedLevel = 0;
  /** Consecutive samples for which nothing is shed. */
  #quietSamples = 0;
  #reason: ShedReason = 'event_loop';
  /** Of the newest sample. */
  #memory = 0;
  /** Consecutive samples for which memory sheds requests and has not fallen. */
  #fullSamples = 0;
  /** Of the newest sample. */
  #eventLoopDelayMs = 0;
  /** On the clock of the timers. */
  #nextSampleAt = Number.POSITIVE_INFINITY;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: LoadShedderOptions) {
    this.#options = options;
  }

  start(): void {
    const { limits, load } = this.#options;
    if (limits.eventLoopDelay === 0 && limits.memory === 1) return;
    load.start();
    this.#scheduleSample();
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#options.load.stop();
  }

  get isShedding(): boolean {
    return this.#level > 0;
  }

  /** Mean delay of the event loop in the newest sample, or how late the next sample is: after a long turn of the event loop,
   *  other timers may fire first. 0 without limits. */
  get eventLoopDelayMs(): number {
    return Math.max(this.#eventLoopDelayMs, this.#options.timers.now() - this.#nextSampleAt);
  }

  /** Why requests of this priority are shed; `undefined` if they are served. */
  shedReasonOf(priority: RequestPriority): ShedReason | undefined {
    return sheddingOrder.indexOf(priority) < this.#level ? this.#reason : undefined;
  }

  #scheduleSample(): void {
    this.#nextSampleAt = this.#options.timers.now() + sampleIntervalMs;
    this.#cancelTimer = this.#options.timers.after(sampleIntervalMs, () => {
      this.#scheduleSample();
      this.#takeSample();
    });
  }

  #takeSample(): void {
    const sample = this.#options.load.readSample();
    this.#eventLoopDelayMs = sample.eventLoopDelayMs;
    this.#collectIfFull(sample);
    this.#changeLevel(sample);
    this.#report(sample);
  }

  #changeLevel(sample: LoadSample): void {
    const exceeded = this.#exceededLimit(sample, 1);
    if (exceeded !== undefined) {
      this.#reason = exceeded;
      this.#calmSamples = 0;
      this.#level = Math.min(this.#level + 1, sheddingOrder.length);
      return;
    }
    const isCalm = this.#exceededLimit(sample, calmShare) === undefined;
    this.#calmSamples = isCalm ? this.#calmSamples + 1 : 0;
    if (this.#calmSamples < calmSamplesPerStep) return;
    this.#calmSamples = 0;
    this.#level = Math.max(this.#level - 1, 0);
  }

  #report(sample: LoadSample): void {
    this.#quietSamples = this.isShedding ? 0 : this.#quietSamples + 1;
    const hasEnded = this.#reportedLevel > 0 && this.#quietSamples >= quietSamplesPerEnd;
    if (this.#level <= this.#reportedLevel && !hasEnded) return;
    this.#reportedLevel = this.#level;
    this.#options.onReport(sheddingOrder.slice(0, this.#level), sample);
  }

  /** V8 collects a heap that grows, which that of a process without requests does not. Without a collection, the garbage of the
   *  requests before would shed all others for ever. */
  #collectIfFull({ memory }: LoadSample): void {
    const { limits, collect = () => collectGarbage('regular') } = this.#options;
    const isFull = this.isShedding && this.#reason === 'memory' && memory > limits.memory * calmShare;
    this.#fullSamples = isFull && memory >= this.#memory ? this.#fullSamples + 1 : 0;
    this.#memory = memory;
    if (this.#fullSamples < samplesPerCollection) return;
    this.#fullSamples = 0;
    collect();
  }

  /** The limit of which a sample exceeds this share. */
  #exceededLimit({ eventLoopDelayMs, memory }: LoadSample, share: number): ShedReason | undefined {
    const { limits } = this.#options;
    if (limits.eventLoopDelay > 0 && eventLoopDelayMs > limits.eventLoopDelay * share) return 'event_loop';
    return limits.memory < 1 && memory > limits.memory * share ? 'memory' : undefined;
  }
}
