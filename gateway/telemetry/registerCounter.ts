import { Counter, type Registry } from 'prom-client';

interface CounterOptions<Label extends string> {
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

export function incrementCount(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

/** Replaces spaces, which make queries harder to write. Log lines spell kinds of problems as the metrics do that count
 *  them. */
export function toLabelValue(name: string): string {
  return name.replaceAll(' ', '_');
}
