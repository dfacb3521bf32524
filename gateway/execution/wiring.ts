import type { Program } from './program.ts';

/** What follows from a program and is the same for all its executions. */
export interface Wiring {
  /** Per step: the steps that wait for it. */
  readonly dependents: readonly (readonly number[])[];
  /** Per step: the delivery groups that wait for it. */
  readonly groupsOfStep: readonly (readonly number[])[];
  /** Fetches take values from above their objects: then equal entities at different places are different objects. */
  readonly hasContext: boolean;
  /** Per step: the fields that are missing where it fails; filled when one does. */
  readonly lostBy: (ReadonlySet<string> | undefined)[];
}

const wirings = new WeakMap<Program, Wiring>();

export function wiringOf(program: Program): Wiring {
  let wiring = wirings.get(program);
  if (wiring === undefined) {
    const { steps, groups } = program;
    const dependents: number[][] = steps.map(() => []);
    for (const step of steps) for (const index of step.after) dependents[index]?.push(step.index);
    const groupsOfStep: number[][] = steps.map(() => []);
    groups.forEach((group, index) => {
      for (const step of group.steps) groupsOfStep[step]?.push(index);
    });
    wiring = {
      dependents,
      groupsOfStep,
      hasContext: steps.some((step) => step.context !== undefined),
      lostBy: [],
    };
    wirings.set(program, wiring);
  }
  return wiring;
}
