import type { ResponsePath } from '../errors.ts';

/** Paths in the order in which they were added, found by a common prefix with another path. */
export class PathIndex {
  readonly #root: PathNode = {
    firstEndingHere: undefined,
    firstThroughHere: undefined,
    isDeep: false,
    children: undefined,
  };
  #count = 0;

  /** Returns the number of paths. A shallow path is related to its own fields only, not to objects further below. */
  add(path: ResponsePath, isShallow = false): number {
    let node = this.#root;
    node.firstThroughHere ??= this.#count;
    for (const part of path) {
      node.children ??= new Map();
      let next = node.children.get(part);
      if (next === undefined) {
        next = {
          firstEndingHere: undefined,
          firstThroughHere: this.#count,
          isDeep: false,
          children: undefined,
        };
        node.children.set(part, next);
      }
      node = next;
    }
    node.firstEndingHere ??= this.#count;
    node.isDeep ||= !isShallow;
    return ++this.#count;
  }

  has(path: ResponsePath): boolean {
    let node: PathNode | undefined = this.#root;
    for (const part of path) node = node?.children?.get(part);
    return node?.firstEndingHere !== undefined;
  }

  /** Whether one of the paths is a prefix of this path, or this path a prefix of one of them. */
  isRelated(path: ResponsePath): boolean {
    if (this.#count === 0) return false;
    let node = this.#root;
    for (const [depth, part] of path.entries()) {
      if (node.isDeep || (node.firstEndingHere !== undefined && depth === path.length - 1)) return true;
      const next = node.children?.get(part);
      if (next === undefined) return false;
      node = next;
    }
    return true;
  }

  /** Index of the first path that is a prefix of this path, or equal. */
  firstPrefixOf(path: ResponsePath): number | undefined {
    let found = this.#root.firstEndingHere;
    let node: PathNode | undefined = this.#root;
    for (const part of path) {
      node = node.children?.get(part);
      if (node === undefined) break;
      if (node.firstEndingHere !== undefined && (found === undefined || node.firstEndingHere < found))
        found = node.firstEndingHere;
    }
    return found;
  }

  /** Index of the first path that begins with this path. */
  firstWithPrefix(path: ResponsePath): number | undefined {
    let node: PathNode | undefined = this.#root;
    for (const part of path) node = node?.children?.get(part);
    return node?.firstThroughHere;
  }
}

interface PathNode {
  /** Index of the first path that ends here. */
  firstEndingHere: number | undefined;
  /** Index of the first path that leads through here. */
  firstThroughHere: number | undefined;
  /** Whether a path that is not shallow ends here. */
  isDeep: boolean;
  children: Map<string | number, PathNode> | undefined;
}
