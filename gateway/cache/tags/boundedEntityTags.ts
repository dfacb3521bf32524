import type { GraphType } from '../rules/cacheGraph.ts';

/** A limited number of tags of single entities. Beyond the limit, the entity tags of the type that has most of them are
 *  replaced by tags for the whole type: the type is collapsed. */
export class BoundedEntityTags {
  readonly #limit: number;
  readonly #typeLevelTagsOf: (type: GraphType) => readonly string[];
  readonly #tagsByType = new Map<GraphType, Set<string>>();
  readonly #collapsedTypes = new Set<GraphType>();
  #count = 0;

  /** `typeLevelTagsOf`: the tags that replace the entity tags of a collapsed type. */
  constructor(limit: number, typeLevelTagsOf: (type: GraphType) => readonly string[]) {
    this.#limit = limit;
    this.#typeLevelTagsOf = typeLevelTagsOf;
  }

  isCollapsed(type: GraphType): boolean {
    return this.#collapsedTypes.has(type);
  }

  /** Adds the tags of one entity. */
  add(type: GraphType, tags: readonly string[]): void {
    if (this.#collapsedTypes.has(type)) return;
    const known = this.#tagsByType.get(type) ?? new Set();
    this.#tagsByType.set(type, known);
    const before = known.size;
    for (const tag of tags) known.add(tag);
    this.#count += known.size - before;
    while (this.#count > this.#limit) this.collapseType(this.#typeWithMostTags());
  }

  /** To be called also for an entity of unknown keys. */
  collapseType(type: GraphType): void {
    this.#collapsedTypes.add(type);
    this.#count -= this.#tagsByType.get(type)?.size ?? 0;
    this.#tagsByType.delete(type);
  }

  toList(): string[] {
    const entityTags = [...this.#tagsByType.values()].flatMap((tags) => [...tags]);
    return [...entityTags, ...[...this.#collapsedTypes].flatMap(this.#typeLevelTagsOf)];
  }

  #typeWithMostTags(): GraphType {
    const bySize = [...this.#tagsByType].sort(([, a], [, b]) => b.size - a.size);
    return (bySize[0] as [GraphType, Set<string>])[0];
  }
}
