import { Kind, type SelectionSetNode } from 'graphql';
import { responseNameOf } from '../planning/fieldTree.ts';
import type { InputPath } from './flattenPath.ts';
import type { FetchStep } from './program.ts';
import { pathText, providersByPath, requiredPathsOf, typenameSuffix } from './providersByPath.ts';
import type { TypeConditions } from './typeConditions.ts';

/** Adds the dependencies that a plan lacks: the planner may lose the order of two fetches when it splits off deferred
 *  fields, or when one of them brings the value of a `@fromContext` argument of the other. A step waits for the steps that
 *  provide an input for objects for which no earlier step provides it. */
export function completeDependencies(
  steps: readonly FetchStep[],
  conditions: TypeConditions,
): readonly FetchStep[] {
  if (steps.length < 3) return steps;
  const providers = providersByPath(steps);
  let completed = steps;
  for (const step of steps) {
    const missing = new Set<number>();
    let before: ReadonlySet<number> | undefined;
    const inputs = requiredPathsOf(step.requires, step.path);
    for (const input of [...inputs, ...(step.contextReader?.inputPaths(step.path) ?? [])]) {
      // It is not fetched where the schema decides the type.
      if (input.path.endsWith(typenameSuffix)) continue;
      before ??= precedingStepsOf(completed)[step.index] as ReadonlySet<number>;
      for (const index of missingProviders(step, input, before)) missing.add(index);
    }
    const added = [...missing].filter(
      (index) => index !== step.index && !precedingStepsOf(completed)[index]?.has(step.index),
    );
    if (added.length > 0)
      completed = completed.with(step.index, { ...step, dependsOn: [...step.dependsOn, ...added] });
  }
  return completed;

  /** The steps that provide an input for objects for which none of the steps `before` provides it. */
  function missingProviders(
    step: FetchStep,
    { path, conditions: required }: InputPath,
    before: ReadonlySet<number>,
  ): readonly number[] {
    const providing = [...(providers.get(path) ?? [])];
    const earlier = providing.filter((index) => before.has(index));
    const later = providing.filter((index) => !before.has(index));
    if (earlier.length === 0 || later.length === 0) return later;
    const target = pathText(step.path);
    const targets = conditionsIn(
      [...(providers.get(target) ?? [])].filter((index) => before.has(index)),
      target,
    );
    const known = conditionsIn(earlier, path);
    return later.filter((index) =>
      conditionsIn([index], path).some((provided) =>
        targets.some((ofTarget) => {
          const objects = provided.map((names, depth) =>
            typesMatching([...names, ...(required[depth] ?? []), ...(ofTarget[depth] ?? [])]),
          );
          return (
            objects.every((types) => types?.size !== 0) &&
            !known.some((outer) => outer.every((names, depth) => doMatch(objects[depth], names)))
          );
        }),
      ),
    );
  }

  function conditionsIn(indices: readonly number[], path: string): readonly PathConditions[] {
    return indices.flatMap((index) => conditionsAt(path, steps[index] as FetchStep));
  }

  /** The object types that fulfil all conditions; `undefined` for any type. */
  function typesMatching(names: readonly string[]): ReadonlySet<string> | undefined {
    return names
      .map((name) => conditions.objectTypesOf(name))
      .reduce<ReadonlySet<string> | undefined>((all, types) => all?.intersection(types) ?? types, undefined);
  }

  /** Whether all of the types fulfil all conditions. */
  function doMatch(types: ReadonlySet<string> | undefined, names: readonly string[]): boolean {
    return names.every((name) => types?.isSubsetOf(conditions.objectTypesOf(name)) ?? false);
  }
}

type PathConditions = InputPath['conditions'];

/** The conditions of each selection of the path in the step; none if only an output rewrite creates the path. */
function conditionsAt(fullPath: string, { path, shape }: FetchStep): readonly PathConditions[] {
  const prefix = path.flatMap((segment) => (segment.kind === 'key' ? [[]] : []));
  const found = visit(shape.selection, fullPath.split('.').slice(prefix.length), []);
  return found.length === 0 ? [[]] : found.map((conditions) => [...prefix, ...conditions]);

  function visit(
    set: SelectionSetNode,
    names: readonly string[],
    enclosing: readonly string[],
  ): PathConditions[] {
    return set.selections.flatMap((selection): PathConditions[] => {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        const inner = condition === undefined ? enclosing : [...enclosing, condition];
        return visit(selection.selectionSet, names, inner);
      }
      if (selection.kind !== Kind.FIELD || responseNameOf(selection) !== names[0]) return [];
      if (names.length === 1 || selection.selectionSet === undefined) return [[enclosing]];
      return visit(selection.selectionSet, names.slice(1), []).map((below) => [enclosing, ...below]);
    });
  }
}

/** Per step: all steps that end before it starts. */
export function precedingStepsOf(steps: readonly FetchStep[]): readonly ReadonlySet<number>[] {
  const before: ReadonlySet<number>[] = [];
  for (const { index } of steps) visit(index);
  return before;

  function visit(index: number): ReadonlySet<number> {
    before[index] ??= new Set(
      (steps[index] as FetchStep).dependsOn.flatMap((earlier) => [earlier, ...visit(earlier)]),
    );
    return before[index];
  }
}
