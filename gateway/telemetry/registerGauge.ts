import { type Aggregator, Gauge, type Registry } from 'prom-client';
import type { CounterOptions } from './registerCounter.ts';

interface GaugeOptions<Label extends string> extends CounterOptions<Label> {
  /** How the values of several workers become one. Default: their sum. */
  readonly aggregator?: Aggregator;
}

/** Registers a gauge whose values are plain numbers elsewhere. `read` sets them for each scrape. */
export function registerGauge<Label extends string>(
  registry: Registry,
  { name, help, labelNames, aggregator = 'sum', read }: GaugeOptions<Label>,
): void {
  new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    aggregator,
    registers: [registry],
    collect() {
      this.reset();
      read((labels, value) => this.set(labels, value));
    },
  });
}
