import { isObject } from '../json/isObject.ts';
import type { FetchDataRewrite, KeyRenamer } from '../planning/queryPlan.ts';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import { collectTargets, type FlattenPath, type InputPath } from './flattenPath.ts';
import { type ResponseObject, setKey } from './responseTree.ts';
import type { TypeConditions } from './typeConditions.ts';

/** Applies the input or output rewrites of a plan to an object, in place. `typename`: type of an object without
 *  `__typename`. */
export function applyRewrites(
  rewrites: readonly FetchDataRewrite[],
  object: ResponseObject,
  typename: string | undefined,
  conditions: TypeConditions,
): void {
  for (const rewrite of rewrites) rewriteAt(rewrite, object, rewrite.path, typename, conditions);
}

function rewriteAt(
  rewrite: FetchDataRewrite,
  value: unknown,
  path: readonly string[],
  typename: string | undefined,
  conditions: TypeConditions,
): void {
  if (Array.isArray(value)) {
    for (const element of value) rewriteAt(rewrite, element, path, typename, conditions);
    return;
  }
  if (!isObject(value)) return;
  const [part, ...rest] = path;
  if (part === undefined) return;
  if (part.startsWith(typeConditionPrefix)) {
    const own = typeof value.__typename === 'string' ? value.__typename : typename;
    const condition = part.slice(typeConditionPrefix.length);
    if (own === undefined || conditions.matches(condition, own))
      rewriteAt(rewrite, value, rest, own, conditions);
    return;
  }
  if (rest.length > 0) {
    rewriteAt(rewrite, value[part], rest, undefined, conditions);
    return;
  }
  if (rewrite.kind === 'ValueSetter') {
    setKey(value, part, rewrite.setValueTo);
  } else if (Object.hasOwn(value, part)) {
    setKey(value, rewrite.renameKeyTo, value[part]);
    delete value[part];
  }
}

/** Renames a path in a subgraph's response as the output rewrites do. Each alias of the planner stands for one field, so
 *  that type conditions do not matter. */
export function rewritePath(
  rewrites: readonly FetchDataRewrite[],
  path: readonly (string | number)[],
): readonly (string | number)[] {
  const renamed = [...path];
  for (const rewrite of rewrites) {
    if (rewrite.kind !== 'KeyRenamer') continue;
    const names = rewrite.path.filter((part) => !part.startsWith(typeConditionPrefix));
    let depth = 0;
    for (let i = 0; i < path.length && depth < names.length; i++) {
      if (typeof path[i] === 'number') continue;
      if (path[i] !== names[depth]) break;
      depth += 1;
      if (depth === names.length) renamed[i] = rewrite.renameKeyTo;
    }
  }
  return renamed;
}

const typeConditionPrefix = '... on ';

/** The targets of a fetch for which its `@fromContext` arguments have equal values. */
export interface ContextTargets {
  /** Equal for equal values. */
  readonly key: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly targets: ResponseObject[];
}

/** Reads the values that `@fromContext` arguments take from the targets of a fetch, or from objects above them. */
export class ContextReader {
  readonly #rewrites: readonly KeyRenamer[];

  constructor(rewrites: readonly KeyRenamer[]) {
    this.#rewrites = rewrites;
  }

  /** The paths of the values for objects at `path`. */
  inputPaths(path: FlattenPath): InputPath[] {
    return this.#rewrites.map((rewrite) => {
      const names = path
        .slice(0, lengthAbove(rewrite, path))
        .flatMap((segment) => (segment.kind === 'key' ? [segment.name] : []));
      const conditions: (readonly string[])[] = names.map(() => []);
      let enclosing: string[] = [];
      for (const part of rewrite.path) {
        if (part === '..') continue;
        if (part.startsWith(typeConditionPrefix)) enclosing.push(part.slice(typeConditionPrefix.length));
        else {
          names.push(part);
          conditions.push(enclosing);
          enclosing = [];
        }
      }
      return { path: names.join('.'), conditions };
    });
  }

  /** Groups the targets, which are at `path`, by their values. A target in `withoutValue` lacks one of them, because a fetch
   *  failed, or a subgraph does not know the object that has the value. The fields with the argument are not fetched for it,
   *  as for an object without an input: their values would be wrong. */
  group(
    targets: readonly ResponseObject[],
    root: ResponseObject,
    path: FlattenPath,
    conditions: TypeConditions,
  ): { readonly groups: Iterable<ContextTargets>; readonly withoutValue: readonly ResponseObject[] } {
    const values = this.read(root, path, conditions);
    const names = this.#rewrites.map((rewrite) => rewrite.renameKeyTo);
    const groups = new Map<string, ContextTargets>();
    const withoutValue: ResponseObject[] = [];
    for (const target of targets) {
      const variables = values.get(target) ?? {};
      if (names.some((name) => variables[name] === undefined)) {
        withoutValue.push(target);
        continue;
      }
      const key = JSON.stringify(names.map((name) => variables[name]));
      getOrInsertComputed(groups, key, () => ({ key, variables, targets: [] })).targets.push(target);
    }
    return { groups: groups.values(), withoutValue };
  }

  /** Returns the values for each object at `path`, by variable name. */
  read(
    root: ResponseObject,
    path: FlattenPath,
    conditions: TypeConditions,
  ): Map<object, Record<string, unknown>> {
    const values = new Map<object, Record<string, unknown>>();
    for (const rewrite of this.#rewrites) {
      const down = rewrite.path.filter((part) => part !== '..');
      const cut = lengthAbove(rewrite, path);
      const above = path.slice(0, cut);
      const below = path.slice(cut);
      for (const ancestor of collectTargets(root, above)) {
        const value = valueAt(ancestor, down, conditions);
        if (value === undefined) continue;
        for (const target of collectTargets(ancestor, below)) {
          const known = values.get(target) ?? Object.create(null);
          known[rewrite.renameKeyTo] = value;
          values.set(target, known);
        }
      }
    }
    return values;
  }
}

/** The length of the part of `path` that leads to the objects with the values. Each target is below one of them, or is
 *  one. */
function lengthAbove(rewrite: KeyRenamer, path: FlattenPath): number {
  const up = rewrite.path.filter((part) => part === '..').length;
  const keys = path.flatMap((segment, index) => (segment.kind === 'key' ? [index] : []));
  return up === 0 ? path.length : (keys[keys.length - up] ?? 0);
}

/** The value at a path, which leads through each element of a list. */
function valueAt(from: unknown, path: readonly string[], conditions: TypeConditions): unknown {
  let value = from;
  for (const [index, part] of path.entries()) {
    if (Array.isArray(value)) {
      const rest = path.slice(index);
      return value.map((element) => valueAt(element, rest, conditions));
    }
    if (!isObject(value)) return value;
    if (part.startsWith(typeConditionPrefix)) {
      const own = value.__typename;
      if (typeof own === 'string' && !conditions.matches(part.slice(typeConditionPrefix.length), own))
        return undefined;
    } else value = Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}
