import type { Registry } from 'prom-client';
import { incrementCount, registerCounter, toLabelValue, zeroCounts } from './registerCounter.ts';

export type LabelNames = readonly [string] | readonly [string, string];

/** Values of the labels that are known in advance. */
export interface KnownValues {
  readonly firsts?: readonly string[];
  readonly seconds?: readonly string[];
}

/** A counter with one or two labels. Each value of the first label has a series for all `seconds` from its first count on,
 *  as in the metrics of the cache: the share of an outcome that never happens is 0, and not unknown. Those of `firsts` have
 *  them from the start. */
export class LabeledCounter {
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #seconds: readonly string[];

  constructor(
    registry: Registry,
    name: string,
    labelNames: LabelNames,
    help: string,
    { firsts = [], seconds = [] }: KnownValues,
  ) {
    // A counter with one label has its counts under an empty second one.
    this.#seconds = labelNames.length === 1 ? [''] : seconds;
    for (const first of firsts) this.#counts.set(first, zeroCounts(this.#seconds));
    const [firstLabel, secondLabel] = labelNames;
    registerCounter(registry, {
      name,
      help,
      labelNames,
      read: (set) => {
        for (const [first, counts] of this.#counts) {
          for (const [second, count] of counts) {
            const labels = { [firstLabel]: toLabelValue(first) };
            set(
              secondLabel === undefined ? labels : { ...labels, [secondLabel]: toLabelValue(second) },
              count,
            );
          }
        }
      },
    });
  }

  increment(first: string, second = ''): void {
    let counts = this.#counts.get(first);
    if (counts === undefined) {
      counts = zeroCounts(this.#seconds);
      this.#counts.set(first, counts);
    }
    incrementCount(counts, second, 1);
  }
}
