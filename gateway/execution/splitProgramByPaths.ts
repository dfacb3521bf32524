import { isAbstractType, Kind, type SelectionSetNode } from 'graphql';
import type { Selection, SelectionSet } from '../operation/selection.ts';
import type { RequiresSelection } from '../planning/queryPlan.ts';
import { type CompileProgramOptions, compileProgram } from './compileProgram.ts';
import type { FlattenPath } from './flattenPath.ts';
import type { DeliveryGroup, FetchStep, Program } from './program.ts';

interface SplitProgramOptions extends CompileProgramOptions {
  readonly root: SelectionSet;
}

/** Makes a program for an operation whose plan knows nothing of `@defer`, as the planner cannot split it: finds
 *  out which fetch brings which field, lets each fetch start as soon as its inputs are there, and lets each
 *  payload wait for the fetches that feed it and no others.
 *
 *  Fields are told apart by response path alone. Where several fetches bring one path (one for each runtime type,
 *  say) all of them count: a payload may wait longer than it has to, but never goes out incomplete. */
export function splitProgramByPaths(options: SplitProgramOptions): Program {
  const { steps } = compileProgram({ ...options, groupCount: 1 });
  const isMutation = steps.some((step) => step.shape.kind === 'mutation');
  const earlier = precedingStepsOf(steps);
  const providers = providersByPath(steps);
  const inputs = steps.map((step) => (isMutation ? step.dependsOn : inputsOf(step)));

  const bringing = payloadPathsOf(options.root, options.groupCount).map((paths) => [
    ...new Set(paths.flatMap((path) => [...(providers.get(path) ?? [])])),
  ]);
  const stepsOfGroup = bringing.map(withInputs);
  for (const step of steps) {
    if (!stepsOfGroup.some((claimed) => claimed.has(step.index))) stepsOfGroup[0]?.add(step.index);
  }
  return {
    steps: steps.map((step) => ({
      ...step,
      dependsOn: inputs[step.index] as readonly number[],
      group: stepsOfGroup.findIndex((claimed) => claimed.has(step.index)),
    })),
    groups: stepsOfGroup.map(
      (indices, group): DeliveryGroup => ({
        steps: [...indices],
        dataSteps: bringing[group] as readonly number[],
      }),
    ),
  };

  /** The earlier steps that bring what this one sends. */
  function inputsOf(step: FetchStep): readonly number[] {
    // Values from above the objects are inputs as well, and no path of `requires` tells of them.
    if (step.contextReader !== undefined) return step.dependsOn;
    const before = earlier[step.index] as ReadonlySet<number>;
    const found = new Set<number>();
    for (const path of requiredPathsOf(step.requires, pathText(step.path))) {
      const bringing = [...(providers.get(path) ?? [])].filter((index) => before.has(index));
      // Nothing seems to bring this input: then only the plan's own order is safe.
      if (bringing.length === 0 && !path.endsWith(typenameSuffix)) return step.dependsOn;
      for (const index of bringing) found.add(index);
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

const typenameSuffix = '.__typename';

/** Per step: all that the plan runs before it. Steps are in the order of the plan. */
function precedingStepsOf(steps: readonly FetchStep[]): ReadonlySet<number>[] {
  const before: Set<number>[] = [];
  for (const step of steps) {
    before.push(new Set(step.dependsOn.flatMap((index) => [index, ...(before[index] as Set<number>)])));
  }
  return before;
}

/** Which steps bring each response path. Composite fields count as well. */
function providersByPath(steps: readonly FetchStep[]): Map<string, Set<number>> {
  const providers = new Map<string, Set<number>>();
  for (const step of steps) {
    const prefix = pathText(step.path);
    visitSelection(step.shape.selection, prefix, (path) => add(path, step.index));
    for (const rewrite of step.shape.outputRewrites) {
      if (rewrite.kind !== 'KeyRenamer') continue;
      const names = rewrite.path.filter((part) => !part.startsWith('... on '));
      const renamed = [...names.slice(0, -1), rewrite.renameKeyTo].join('.');
      add(prefix === '' ? renamed : `${prefix}.${renamed}`, step.index);
    }
  }
  return providers;

  function add(path: string, index: number): void {
    const known = providers.get(path);
    if (known === undefined) providers.set(path, new Set([index]));
    else known.add(index);
  }
}

function visitSelection(set: SelectionSetNode, prefix: string, visit: (path: string) => void): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) visitSelection(selection.selectionSet, prefix, visit);
    if (selection.kind !== Kind.FIELD) continue;
    const name = selection.alias?.value ?? selection.name.value;
    const path = prefix === '' ? name : `${prefix}.${name}`;
    visit(path);
    if (selection.selectionSet !== undefined) visitSelection(selection.selectionSet, path, visit);
  }
}

function requiredPathsOf(requires: readonly RequiresSelection[], prefix: string): string[] {
  return requires.flatMap((selection) => {
    if (selection.kind === 'InlineFragment') return requiredPathsOf(selection.selections, prefix);
    const path = `${prefix}.${selection.alias ?? selection.name}`;
    return selection.selections === undefined ? [path] : requiredPathsOf(selection.selections, path);
  });
}

/** Per delivery group: the paths that its payload consists of. */
function payloadPathsOf(root: SelectionSet, groupCount: number): string[][] {
  const wanted = Array.from({ length: groupCount }, (): string[] => []);
  want(root.selections, '', 0);
  return wanted;

  /** True if the group wants something at or below. */
  function want(selections: readonly Selection[], prefix: string, group: number): boolean {
    let any = false;
    for (const selection of selections) {
      switch (selection.kind) {
        case 'Field': {
          const own = selection.enrichmentGroup ?? group;
          if (own === group) any = true;
          const path = prefix === '' ? selection.internalName : `${prefix}.${selection.internalName}`;
          const isMore =
            selection.selectionSet !== undefined && want(selection.selectionSet.selections, path, own);
          // Who brings an enrichment's objects brings it, also where there turn out to be none.
          if (!isMore || own !== group) wanted[own]?.push(path);
          // Shaping an interface or a union needs the runtime type.
          if (isAbstractType(selection.compositeType)) wanted[own]?.push(`${path}${typenameSuffix}`);
          break;
        }
        case 'Fragment':
          if (want(selection.selectionSet.selections, prefix, group)) any = true;
          break;
        case 'Deferred':
          want(selection.own.selections, prefix, selection.group);
          break;
      }
    }
    return any;
  }
}

/** Response names without list markers. */
function pathText(path: FlattenPath): string {
  return path.flatMap((segment) => (segment.kind === 'key' ? [segment.name] : [])).join('.');
}
