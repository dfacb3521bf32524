import type { ResponsePath } from '../errors.ts';

/** Paths in the order in which they were added, found by what they have in common with another one. */
export class PathIndex {
  readonly #root: PathNode = {
    firstEndingHere: undefined,
    firstThroughHere: undefined,
    isDeep: false,
    children: undefined,
  };
  #count = 0;

  /** Returns how many there are now. A shallow one has to do with its place and the fields there, and with nothing
   *  further below. */
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

  /** Whether this path leads through the place of one of them, or one of them through its place. */
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

  /** Number of the first one whose place this path leads through, or to. */
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

  /** Number of the first one whose path begins with this one. */
  firstWithPrefix(path: ResponsePath): number | undefined {
    let node: PathNode | undefined = this.#root;
    for (const part of path) node = node?.children?.get(part);
    return node?.firstThroughHere;
  }
}

interface PathNode {
  /** Number of the first path that ends here. */
  firstEndingHere: number | undefined;
  /** Number of the first path that leads through here. */
  firstThroughHere: number | undefined;
  /** Whether a path that is not shallow ends here. */
  isDeep: boolean;
  children: Map<string | number, PathNode> | undefined;
}
