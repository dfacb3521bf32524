import { Registry } from 'prom-client';
import type { Metrics } from '../telemetry/metrics.ts';
import type { MetricsDirectory } from '../telemetry/metricsDirectory.ts';
import type { MetricsSnapshot } from '../telemetry/metricsSnapshot.ts';
import { incrementCount, registerCounter, zeroCounts } from '../telemetry/registerCounter.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';

/** Why a worker is replaced. */
const replacementReasons = ['exited', 'unresponsive', 'not_started'] as const;

export type ReplacementReason = (typeof replacementReasons)[number];

/** After counts that could not be stored. */
const retryDelayMs = 10_000;

/** The numbers of workers begin at 1. */
export const supervisorName = '0';

/** What the supervisor counts. It has no listener: the scrapes of workers add its stored counts. */
export class SupervisorMetrics implements Pick<Metrics, 'snapshot'> {
  readonly #directory: MetricsDirectory;
  readonly #registry = new Registry();
  readonly #replacements = zeroCounts(replacementReasons);
  readonly #timers: Timers;
  #sequence = 0;
  #cancelRetry: CancelTimer = () => {};

  constructor(directory: MetricsDirectory, timers: Timers) {
    this.#directory = directory;
    this.#timers = timers;
    registerReplacements(this.#registry, this.#replacements);
    this.#store();
  }

  countReplacement(reason: ReplacementReason): void {
    incrementCount(this.#replacements, reason, 1);
    this.#store();
  }

  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON();
  }

  #store(): void {
    this.#sequence += 1;
    const sequence = this.#sequence;
    this.snapshot()
      .then((metrics) =>
        this.#directory.write(supervisorName, sequence, JSON.stringify({ sequence, metrics })),
      )
      // The disk is full, for example: scrapes lack these counts until they are stored.
      .catch(() => {
        this.#cancelRetry();
        this.#cancelRetry = this.#timers.after(retryDelayMs, () => this.#store());
      });
  }
}

export function registerReplacements(
  registry: Registry,
  counts: ReadonlyMap<ReplacementReason, number>,
): void {
  registerCounter(registry, {
    name: 'tributary_worker_replacements_total',
    help: 'Workers that have ended, or could not be started, and are replaced.',
    labelNames: ['reason'],
    read: (set) => {
      for (const [reason, count] of counts) set({ reason }, count);
    },
  });
}
