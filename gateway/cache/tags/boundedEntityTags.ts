import type { GraphType } from '../rules/cacheGraph.ts';

/** Tags of single entities, so many at most. Where there are more, the type that has most of them is taken as a
 *  whole. */
export class BoundedEntityTags {
  readonly #limit: number;
  readonly #typeLevelTagsOf: (type: GraphType) => readonly string[];
  readonly #tagsByType = new Map<GraphType, Set<string>>();
  readonly #collapsedTypes = new Set<GraphType>();
  #count = 0;

  /** `tagsOfAll`: what stands for all entities of a type. */
  constructor(limit: number, tagsOfAll: (type: GraphType) => readonly string[]) {
    this.#limit = limit;
    this.#typeLevelTagsOf = tagsOfAll;
  }

  isCollapsed(type: GraphType): boolean {
    return this.#collapsedTypes.has(type);
  }

  /** Tags of one entity. */
  add(type: GraphType, tags: readonly string[]): void {
    if (this.#collapsedTypes.has(type)) return;
    const known = this.#tagsByType.get(type) ?? new Set();
    this.#tagsByType.set(type, known);
    const before = known.size;
    for (const tag of tags) known.add(tag);
    this.#count += known.size - before;
    while (this.#count > this.#limit) this.collapseType(this.#typeWithMostTags());
  }

  /** Nobody can say which entity of a type it is. */
  collapseType(type: GraphType): void {
    this.#collapsedTypes.add(type);
    this.#count -= this.#tagsByType.get(type)?.size ?? 0;
    this.#tagsByType.delete(type);
  }

  toList(): string[] {
    const single = [...this.#tagsByType.values()].flatMap((tags) => [...tags]);
    return [...single, ...[...this.#collapsedTypes].flatMap(this.#typeLevelTagsOf)];
  }

  #typeWithMostTags(): GraphType {
    const bySize = [...this.#tagsByType].sort(([, one], [, other]) => other.size - one.size);
    return (bySize[0] as [GraphType, Set<string>])[0];
  }
}
