import { hash } from './hash.ts';

/** The fields that fail in one operation. They depend on the seed, not on the subgraph. */
export class Faults {
  readonly #seed: string;
  readonly #percent: number;

  private constructor(seed: string, percent: number) {
    this.#seed = seed;
    this.#percent = percent;
  }

  /** The header's value is `seed percent`. Without it, nothing fails. */
  static parse(header: string | undefined): Faults {
    const [seed = '', percent = '0'] = header?.split(' ') ?? [];
    return new Faults(seed, Number(percent));
  }

  shouldFail(coordinate: string): boolean {
    return this.#percent > 0 && hash(`${this.#seed} ${coordinate}`) % 100 < this.#percent;
  }
}
