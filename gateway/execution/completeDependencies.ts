import type { FetchStep } from './program.ts';
import { pathText, providersByPath, requiredPathsOf, typenameSuffix } from './providersByPath.ts';

/** Adds the dependencies that a plan lacks: the planner may lose the order of two fetches when it splits off deferred
 *  fields, or when one of them brings the value of a `@fromContext` argument of the other. A step for which no earlier step
 *  provides an input waits for the steps that provide it. */
export function completeDependencies(steps: readonly FetchStep[]): readonly FetchStep[] {
  if (steps.length < 3) return steps;
  const providers = providersByPath(steps);
  let completed = steps;
  for (const step of steps) {
    const missing = new Set<number>();
    let before: ReadonlySet<number> | undefined;
    const inputs = requiredPathsOf(step.requires, pathText(step.path));
    for (const path of [...inputs, ...(step.contextReader?.inputPaths(step.path) ?? [])]) {
      // It is not fetched where the schema decides the type.
      if (path.endsWith(typenameSuffix)) continue;
      const providing = [...(providers.get(path) ?? [])];
      if (providing.length === 0) continue;
      before ??= precedingStepsOf(completed)[step.index] as ReadonlySet<number>;
      if (providing.some((index) => before?.has(index))) continue;
      for (const index of providing) missing.add(index);
    }
    const added = [...missing].filter(
      (index) => index !== step.index && !precedingStepsOf(completed)[index]?.has(step.index),
    );
    if (added.length > 0)
      completed = completed.with(step.index, { ...step, dependsOn: [...step.dependsOn, ...added] });
  }
  return completed;
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
