import { pathKeyOf, type TargetCollector } from './flattenPath.ts';
import { createInterningCollector, type FieldsByPath, type InterningCollector } from './internedTargets.ts';
import type { FetchStep } from './program.ts';
import { pathText, providersByPath } from './providersByPath.ts';

/** The path that entity fetches of a program have in common. */
export interface TargetPath {
  /** Among the paths of the program. */
  readonly index: number;
  /** Returns the objects at the path, like `collectTargets`. */
  readonly collect: InterningCollector;
  /** That of the steps with the path. */
  readonly collectTargets: TargetCollector;
  /** A longer path. Its objects are collected first, because objects are interned from the inside out. */
  readonly inner: TargetPath | undefined;
}

export interface TargetPaths {
  /** Per step; `undefined` for root fetches. */
  readonly targetPaths: readonly (TargetPath | undefined)[];
  /** Per step: the paths where other objects may be after the step has ended. */
  readonly changedPaths: readonly (readonly TargetPath[])[];
}

/** `isInterning`: equal objects may become one (`createInterningCollector`). */
export function indexTargetPaths(steps: readonly FetchStep[], isInterning: boolean): TargetPaths {
  const entitySteps = steps.filter((step) => step.representationReader !== undefined);
  const fields = isInterning && entitySteps.length > 0 ? fieldsByPath(steps) : undefined;
  const byKey = new Map<string, TargetPath>();
  // Longer paths first: they are the inner ones of shorter paths.
  for (const step of entitySteps.toSorted((a, b) => b.path.length - a.path.length)) {
    const key = pathKeyOf(step.path);
    if (byKey.has(key)) continue;
    const collect: InterningCollector =
      (fields && createInterningCollector(step.path, fields)) ?? ((root) => step.collectTargets(root));
    const dependencies = step.dependsOn.join();
    const inner = entitySteps
      .filter((other) => other.dependsOn.join() === dependencies && isBelow(other, key))
      .reduce<FetchStep | undefined>(longerPath, undefined);
    byKey.set(key, {
      index: byKey.size,
      collect,
      collectTargets: step.collectTargets,
      inner: inner && byKey.get(pathKeyOf(inner.path)),
    });
  }
  return {
    targetPaths: steps.map(({ path, representationReader }) =>
      representationReader === undefined ? undefined : byKey.get(pathKeyOf(path)),
    ),
    changedPaths: steps.map(({ shape, path }) => {
      if (shape.isLeafOnly) return [];
      const changed = entitySteps.filter((other) => isBelow(other, pathKeyOf(path)));
      return [...new Set(changed.map((other) => byKey.get(pathKeyOf(other.path)) as TargetPath))];
    }),
  };
}

function longerPath(first: FetchStep | undefined, second: FetchStep): FetchStep {
  return first === undefined || second.path.length > first.path.length ? second : first;
}

function isBelow({ path }: FetchStep, key: string): boolean {
  return key === '' ? path.length > 0 : pathKeyOf(path).startsWith(`${key}.`);
}

/** Without paths at which several fetches bring fields as parts of outer objects: objects that are equal after the first of
 *  these fetches may differ after the next. */
function fieldsByPath(steps: readonly FetchStep[]): FieldsByPath {
  const objects = new Map<string, { readonly names: string[]; readonly outerSteps: Set<number> }>();
  for (const [path, providers] of providersByPath(steps)) {
    const dot = path.lastIndexOf('.');
    const [object, name] = [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
    const known = objects.get(object) ?? { names: [], outerSteps: new Set() };
    objects.set(object, known);
    known.names.push(name);
    for (const index of providers)
      if (pathText((steps[index] as FetchStep).path) !== object) known.outerSteps.add(index);
  }
  return new Map(
    Array.from(objects).flatMap(([object, { names, outerSteps }]) =>
      outerSteps.size > 1 ? [] : [[object, names]],
    ),
  );
}
