import type { Drift } from './findDrift.ts';

/** The drift that repeated checks found last. To find it, supergraphs are composed and planned on, which takes seconds. */
export class LastDrift {
  #of: string | undefined;
  #drift: Drift | undefined;

  get findings(): Drift['findings'] {
    return this.#drift?.findings ?? [];
  }

  /** Returns the drift of these inputs, which are compared as JSON. Calls `find` only if they have changed, other than by
   *  numbers in why a subgraph gave no schema: those of requests and times differ in each answer. */
  async update(inputs: readonly unknown[], find: () => Promise<Drift>): Promise<Drift> {
    const of = JSON.stringify(inputs, (key, value: unknown) =>
      key === 'unreachable' ? String(value).replaceAll(/[\da-f-]*\d[\da-f-]*/gi, '#') : value,
    );
    if (this.#drift === undefined || this.#of !== of) {
      this.#drift = await find();
      this.#of = of;
    }
    return this.#drift;
  }
}
