import { Counter, type Registry } from 'prom-client';

export interface CounterOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Label[];
  readonly read: (set: (labels: Readonly<Record<Label, string>>, count: number) => void) => void;
}

/** Registers a counter whose values are plain numbers elsewhere. `read` sets them for each scrape. */
export function registerCounter<Label extends string>(
  registry: Registry,
  { name, help, labelNames, read }: CounterOptions<Label>,
): void {
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      read((labels, count) => this.inc(labels, count));
    },
  });
}

export function incrementCount<Name extends string>(
  counts: Map<Name, number>,
  name: Name,
  count: number,
): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

/** Counts of a label whose values are known. A series that appears with its first count has no rate for it: Prometheus
 *  sees no increase. */
export function zeroCounts<Name extends string>(names: readonly Name[]): Map<Name, number> {
  return new Map(names.map((name) => [name, 0]));
}

/** Replaces spaces, which make queries harder to write. Log lines spell kinds of problems as the metrics do that count
 *  them. */
export function toLabelValue(name: string): string {
  return name.replaceAll(' ', '_');
}
