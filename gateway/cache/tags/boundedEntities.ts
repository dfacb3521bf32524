import type { GraphType } from '../rules/cacheGraph.ts';

/** Tags of single entities, so many at most. Where there are more, the type that has most of them is taken as a
 *  whole. */
export class BoundedEntities {
  readonly #limit: number;
  readonly #tagsOfAll: (type: GraphType) => readonly string[];
  readonly #single = new Map<GraphType, Set<string>>();
  readonly #whole = new Set<GraphType>();
  #count = 0;

  /** `tagsOfAll`: what stands for all entities of a type. */
  constructor(limit: number, tagsOfAll: (type: GraphType) => readonly string[]) {
    this.#limit = limit;
    this.#tagsOfAll = tagsOfAll;
  }

  isWhole(type: GraphType): boolean {
    return this.#whole.has(type);
  }

  /** Tags of one entity. */
  add(type: GraphType, tags: readonly string[]): void {
    if (this.#whole.has(type)) return;
    const known = this.#single.get(type) ?? new Set();
    this.#single.set(type, known);
    const before = known.size;
    for (const tag of tags) known.add(tag);
    this.#count += known.size - before;
    while (this.#count > this.#limit) this.addWhole(this.#largest());
  }

  /** Nobody can say which entity of a type it is. */
  addWhole(type: GraphType): void {
    this.#whole.add(type);
    this.#count -= this.#single.get(type)?.size ?? 0;
    this.#single.delete(type);
  }

  tags(): string[] {
    const single = [...this.#single.values()].flatMap((tags) => [...tags]);
    return [...single, ...[...this.#whole].flatMap(this.#tagsOfAll)];
  }

  #largest(): GraphType {
    const bySize = [...this.#single].sort(([, one], [, other]) => other.size - one.size);
    return (bySize[0] as [GraphType, Set<string>])[0];
  }
}
