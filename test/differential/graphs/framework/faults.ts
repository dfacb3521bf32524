import { hash } from './hash.ts';

/** Fields that fail in one operation: always the same ones for a seed, wherever they are asked. */
export class Faults {
  readonly #seed: string;
  readonly #percent: number;

  private constructor(seed: string, percent: number) {
    this.#seed = seed;
    this.#percent = percent;
  }

  /** The header's value is `seed percent`; without it nothing fails. */
  static parse(header: string | undefined): Faults {
    const [seed = '', percent = '0'] = header?.split(' ') ?? [];
    return new Faults(seed, Number(percent));
  }

  shouldFail(place: string): boolean {
    return this.#percent > 0 && hash(`${this.#seed} ${place}`) % 100 < this.#percent;
  }
}
