import type { Drift } from './findDrift.ts';

/** The drift that repeated checks found last. To find it, supergraphs are composed and planned on, which takes seconds. */
export class LastDrift {
  #of: string | undefined;
  #drift: Drift | undefined;

  get findings(): Drift['findings'] {
    return this.#drift?.findings ?? [];
  }

  /** Returns the drift of these inputs, which are compared as JSON. Calls `find` only if they have changed. */
  async update(inputs: readonly unknown[], find: () => Promise<Drift>): Promise<Drift> {
    const of = JSON.stringify(inputs);
    if (this.#drift === undefined || this.#of !== of) {
      this.#drift = await find();
      this.#of = of;
    }
    return this.#drift;
  }
}
