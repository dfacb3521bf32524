import { Registry } from 'prom-client';
import type { MetricsDirectory } from '../telemetry/metricsDirectory.ts';
import { incrementCount, registerCounter, zeroCounts } from '../telemetry/registerCounter.ts';

/** Why a worker is replaced. */
const replacementReasons = ['exited', 'unresponsive', 'not_started'] as const;

export type ReplacementReason = (typeof replacementReasons)[number];

/** The numbers of workers begin at 1. */
const supervisorName = '0';

/** What the supervisor counts. It has no listener: the scrapes of workers add its stored counts. */
export class SupervisorMetrics {
  readonly #directory: MetricsDirectory;
  readonly #registry = new Registry();
  readonly #replacements = zeroCounts(replacementReasons);
  #sequence = 0;

  constructor(directory: MetricsDirectory) {
    this.#directory = directory;
    registerReplacements(this.#registry, this.#replacements);
    this.#store();
  }

  countReplacement(reason: ReplacementReason): void {
    incrementCount(this.#replacements, reason, 1);
    this.#store();
  }

  #store(): void {
    this.#sequence += 1;
    const sequence = this.#sequence;
    this.#registry
      .getMetricsAsJSON()
      .then((metrics) =>
        this.#directory.write(supervisorName, sequence, JSON.stringify({ sequence, metrics })),
      )
      // With a full disk, the next attempt stores these counts, too.
      .catch(() => {});
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
