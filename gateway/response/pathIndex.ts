import type { ResponsePath } from '../errors.ts';

/** Paths in the order in which they were added, found by what they have in common with another one. */
export class PathIndex {
  readonly #root: Node = { first: undefined, least: undefined, isDeep: false, below: undefined };
  #count = 0;

  /** Returns how many there are now. A shallow one has to do with its place and the fields there, and with nothing
   *  further below. */
  add(path: ResponsePath, isShallow = false): number {
    let node = this.#root;
    node.least ??= this.#count;
    for (const part of path) {
      node.below ??= new Map();
      let next = node.below.get(part);
      if (next === undefined) {
        next = { first: undefined, least: this.#count, isDeep: false, below: undefined };
        node.below.set(part, next);
      }
      node = next;
    }
    node.first ??= this.#count;
    node.isDeep ||= !isShallow;
    return ++this.#count;
  }

  has(path: ResponsePath): boolean {
    let node: Node | undefined = this.#root;
    for (const part of path) node = node?.below?.get(part);
    return node?.first !== undefined;
  }

  /** Whether this path leads through the place of one of them, or one of them through its place. */
  isRelated(path: ResponsePath): boolean {
    if (this.#count === 0) return false;
    let node = this.#root;
    for (const [depth, part] of path.entries()) {
      if (node.isDeep || (node.first !== undefined && depth === path.length - 1)) return true;
      const next = node.below?.get(part);
      if (next === undefined) return false;
      node = next;
    }
    return true;
  }

  /** Number of the first one whose place this path leads through, or to. */
  firstOn(path: ResponsePath): number | undefined {
    let found = this.#root.first;
    let node: Node | undefined = this.#root;
    for (const part of path) {
      node = node.below?.get(part);
      if (node === undefined) break;
      if (node.first !== undefined && (found === undefined || node.first < found)) found = node.first;
    }
    return found;
  }

  /** Number of the first one whose path begins with this one. */
  firstBelow(path: ResponsePath): number | undefined {
    let node: Node | undefined = this.#root;
    for (const part of path) node = node?.below?.get(part);
    return node?.least;
  }
}

interface Node {
  /** Number of the first path that ends here. */
  first: number | undefined;
  /** Number of the first path that leads through here. */
  least: number | undefined;
  /** Whether a path that is not shallow ends here. */
  isDeep: boolean;
  below: Map<string | number, Node> | undefined;
}
