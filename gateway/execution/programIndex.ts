import type { Program } from './program.ts';

/** What follows from a program and is the same for all its executions. */
export interface ProgramIndex {
  /** Per step: the steps that wait for it. */
  readonly dependents: readonly (readonly number[])[];
  /** Per step: the delivery groups that wait for it. */
  readonly groupsOfStep: readonly (readonly number[])[];
  /** Fetches take values from above their objects: then equal entities at different places are different objects. */
  readonly hasContext: boolean;
  /** Per step: the fields that are missing where it fails; filled when one does. */
  readonly missingFieldsByStep: (ReadonlySet<string> | undefined)[];
}

const programIndexes = new WeakMap<Program, ProgramIndex>();

export function programIndexOf(program: Program): ProgramIndex {
  let wiring = programIndexes.get(program);
  if (wiring === undefined) {
    const { steps, groups } = program;
    const dependents: number[][] = steps.map(() => []);
    for (const step of steps) for (const index of step.dependsOn) dependents[index]?.push(step.index);
    const groupsOfStep: number[][] = steps.map(() => []);
    groups.forEach((group, index) => {
      for (const step of group.steps) groupsOfStep[step]?.push(index);
    });
    wiring = {
      dependents,
      groupsOfStep,
      hasContext: steps.some((step) => step.contextReader !== undefined),
      missingFieldsByStep: [],
    };
    programIndexes.set(program, wiring);
  }
  return wiring;
}
