import type { Registry } from 'prom-client';
import { registerCounter } from '../telemetry/registerCounter.ts';
import { registerGauge } from '../telemetry/registerGauge.ts';

interface ContractMetricsOptions {
  readonly registry: Registry;
  /** Number of checks by outcome. Like the other values, read when Prometheus scrapes. */
  readonly supergraphs: () => Iterable<readonly [outcome: string, count: number]>;
  /** Operations that the newest checked supergraph breaks. */
  readonly brokenOperations: () => number;
  readonly subgraphs: () => Iterable<{ readonly name: string; readonly hasDrifted: boolean }>;
}

/** Registers the metrics of the contracts. Labels are subgraph names and outcomes, which clients cannot make up. */
export function registerContractMetrics(options: ContractMetricsOptions): void {
  const { registry, supergraphs, brokenOperations, subgraphs } = options;
  registerCounter(registry, {
    name: 'tributary_contract_supergraphs_total',
    help: 'Supergraphs that were checked against the contracts.',
    labelNames: ['outcome'],
    read: (set) => {
      for (const [outcome, count] of supergraphs()) set({ outcome }, count);
    },
  });
  registerGauge(registry, {
    name: 'tributary_contract_broken_operations',
    help: 'Operations of the contracts that the newest supergraph breaks, whether or not it is in use.',
    labelNames: [],
    aggregator: 'max',
    read: (set) => set({}, brokenOperations()),
  });
  registerGauge(registry, {
    name: 'tributary_contract_drift',
    help: 'Whether a subgraph serves another schema than its contract.',
    labelNames: ['subgraph'],
    aggregator: 'max',
    read: (set) => {
      for (const { name, hasDrifted } of subgraphs()) set({ subgraph: name }, hasDrifted ? 1 : 0);
    },
  });
}
