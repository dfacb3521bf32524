import type { Program } from './program.ts';
import { type ScheduledStep, scheduledStepsOf } from './scheduledStep.ts';
import { indexTargetPaths, type TargetPaths } from './targetPaths.ts';

/** Data derived from a program and shared by its executions. */
export interface ProgramIndex extends TargetPaths {
  /** Per step: how many steps it waits for. */
  readonly dependencyCounts: readonly number[];
  /** Per delivery group: how many steps it waits for. */
  readonly stepCounts: readonly number[];
  /** Per step: the steps that wait for it. */
  readonly dependents: readonly (readonly number[])[];
  readonly scheduledSteps: readonly ScheduledStep[];
  /** Per step: the delivery groups that wait for it. */
  readonly groupsOfStep: readonly (readonly number[])[];
  /** Fetches have `@fromContext` arguments: equal entities at different paths are different objects. */
  readonly hasContext: boolean;
  /** Per step: the fields that are missing when it fails; computed at the first failure. */
  readonly missingFieldsByStep: (ReadonlySet<string> | undefined)[];
  /** See `providersByPath`; computed when first needed. */
  providers: ReadonlyMap<string, ReadonlySet<number>> | undefined;
}

const programIndexes = new WeakMap<Program, ProgramIndex>();

export function programIndexOf(program: Program): ProgramIndex {
  let index = programIndexes.get(program);
  if (index === undefined) {
    const { steps, groups } = program;
    const dependents: number[][] = steps.map(() => []);
    for (const step of steps) for (const other of step.dependsOn) dependents[other]?.push(step.index);
    const groupsOfStep: number[][] = steps.map(() => []);
    groups.forEach((group, groupIndex) => {
      for (const step of group.steps) groupsOfStep[step]?.push(groupIndex);
    });
    const hasContext = steps.some((step) => step.contextReader !== undefined);
    index = {
      dependencyCounts: steps.map(({ dependsOn }) => dependsOn.length),
      stepCounts: groups.map((group) => group.steps.length),
      dependents,
      scheduledSteps: scheduledStepsOf(steps, dependents, groupsOfStep),
      groupsOfStep,
      hasContext,
      // With `@fromContext` arguments, an object is more than its fields.
      ...indexTargetPaths(steps, !hasContext),
      missingFieldsByStep: [],
      providers: undefined,
    };
    programIndexes.set(program, index);
  }
  return index;
}
