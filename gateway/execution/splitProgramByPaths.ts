import { isAbstractType } from 'graphql';
import type { Selection, SelectionSet } from '../operation/selection.ts';
import { pathBelow } from '../planning/fieldTree.ts';
import { type CompileProgramOptions, compileProgram } from './compileProgram.ts';
import { precedingStepsOf } from './completeDependencies.ts';
import type { DeliveryGroup, FetchStep, Program } from './program.ts';
import { providersByPath, requiredPathsOf, typenameSuffix } from './providersByPath.ts';

interface SplitProgramOptions extends CompileProgramOptions {
  readonly root: SelectionSet;
}

/** Compiles a plan that the planner could not split for `@defer`: finds out which fetch provides which field, starts each
 *  fetch when its inputs are there, and lets each payload wait for the fetches that feed it and no others.
 *
 *  Fields are identified by their response path. If several fetches provide one path, such as one for each runtime type,
 *  the payload waits for all of them: it may be later than necessary, but is never incomplete. */
export function splitProgramByPaths(options: SplitProgramOptions): Program {
  const { steps } = compileProgram({ ...options, groupCount: 1 });
  const { inputs, providing, stepsOfGroup } = assignStepsToGroups(steps, options.root, options.groupCount);
  return {
    steps: steps.map((step) => ({
      ...step,
      dependsOn: inputs[step.index] as readonly number[],
      group: stepsOfGroup.findIndex((claimed) => claimed.has(step.index)),
    })),
    groups: stepsOfGroup.map(
      (indices, group): DeliveryGroup => ({
        steps: [...indices],
        dataSteps: providing[group] as readonly number[],
      }),
    ),
  };
}

interface StepAssignment {
  /** By step: the earlier steps that provide its inputs. */
  readonly inputs: readonly (readonly number[])[];
  /** By delivery group: the steps that provide its data. */
  readonly providing: readonly (readonly number[])[];
  /** By delivery group: the steps that provide its data, and those that provide their inputs. A step that no group needs
   *  belongs to the primary data. */
  readonly stepsOfGroup: readonly ReadonlySet<number>[];
}

/** Finds the steps that each delivery group of `root` waits for. `steps`: in the order of their plan. */
export function assignStepsToGroups(
  steps: readonly FetchStep[],
  root: SelectionSet,
  groupCount: number,
): StepAssignment {
  const isMutation = steps.some((step) => step.shape.kind === 'mutation');
  const earlier = precedingStepsOf(steps);
  const providers = providersByPath(steps);
  const inputs = steps.map((step) => (isMutation ? step.dependsOn : inputsOf(step)));

  const providing = payloadPathsOf(root, groupCount).map((paths) => [
    ...new Set(paths.flatMap((path) => [...(providers.get(path) ?? [])])),
  ]);
  const stepsOfGroup = providing.map(withInputs);
  for (const step of steps) {
    if (!stepsOfGroup.some((claimed) => claimed.has(step.index))) stepsOfGroup[0]?.add(step.index);
  }
  return { inputs, providing, stepsOfGroup };

  /** Returns the earlier steps that provide the inputs of this one. */
  function inputsOf(step: FetchStep): readonly number[] {
    // `@fromContext` arguments are inputs as well, and `requires` does not have their paths.
    if (step.contextReader !== undefined) return step.dependsOn;
    const before = earlier[step.index] as ReadonlySet<number>;
    const found = new Set<number>();
    for (const { path } of requiredPathsOf(step.requires, step.path)) {
      const providingSteps = [...(providers.get(path) ?? [])].filter((index) => before.has(index));
      // No step seems to provide this input: only the order of the plan is safe.
      if (providingSteps.length === 0 && !path.endsWith(typenameSuffix)) return step.dependsOn;
      for (const index of providingSteps) found.add(index);
    }
    return found.size === 0 ? step.dependsOn : [...found];
  }

  function withInputs(indices: readonly number[]): Set<number> {
    const all = new Set<number>();
    const open = [...indices];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (all.has(index)) continue;
      all.add(index);
      open.push(...(inputs[index] as readonly number[]));
    }
    return all;
  }
}

/** Per delivery group: the paths of its payload. */
function payloadPathsOf(root: SelectionSet, groupCount: number): string[][] {
  const paths = Array.from({ length: groupCount }, (): string[] => []);
  collect(root.selections, '', 0);
  return paths;

  /** Returns whether a fetch brings fields of the group at or below `prefix`. */
  function collect(selections: readonly Selection[], prefix: string, group: number): boolean {
    let any = false;
    for (const selection of selections) {
      switch (selection.kind) {
        case 'Field': {
          // No fetch has to bring them: that of the object is enough.
          if (selection.fieldName === '__typename' || selection.isDenied === true) break;
          const own = selection.enrichmentGroup ?? group;
          if (own === group) any = true;
          const path = pathBelow(prefix, selection.internalName);
          const hasFieldsBelow =
            selection.selectionSet !== undefined && collect(selection.selectionSet.selections, path, own);
          // The fetch of an enrichment's objects counts, because there may be no objects.
          if (!hasFieldsBelow || own !== group) paths[own]?.push(path);
          // Shaping an interface or a union needs the runtime type.
          if (isAbstractType(selection.compositeType)) paths[own]?.push(`${path}${typenameSuffix}`);
          break;
        }
        case 'Fragment':
          if (collect(selection.selectionSet.selections, prefix, group)) any = true;
          break;
        case 'Deferred':
          collect(selection.own.selections, prefix, selection.group);
          break;
      }
    }
    return any;
  }
}
