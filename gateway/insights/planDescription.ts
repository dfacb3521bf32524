import type { FlattenPath } from '../execution/flattenPath.ts';
import type { Program } from '../execution/program.ts';
import { pathText } from '../execution/providersByPath.ts';
import { assignStepsToGroups } from '../execution/splitProgramByPaths.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { type Selection, SelectionSet } from '../operation/selection.ts';

/** What insights store of the plan of an operation. Has no reference to the supergraph, which may be replaced. */
export interface PlanDescription {
  readonly steps: readonly DescribedFetch[];
  readonly groups: Program['groups'];
  /** Delivery groups of enrichments: a first payload has their data unless they are pending. */
  readonly enrichmentGroups: readonly number[];
}

export interface DescribedFetch {
  readonly subgraph: string;
  /** In the client's names; `@` for all elements of a list. */
  readonly path: readonly string[];
  /** The fields of its objects that it fetches, without `__typename`. */
  readonly fields: readonly string[];
  readonly dependsOn: readonly number[];
  readonly group: number;
  /** Whether a cache rule may have an effect: not for mutations, what is read after them, and events. */
  readonly isCacheable: boolean;
}

/** Fields that could be deferred, and what this would change. */
export interface DeferCandidate {
  /** Of all fields of this subgraph; `undefined` for single fields. */
  readonly subgraph: string | undefined;
  /** In the client's names, joined by dots. */
  readonly fields: readonly string[];
  /** Steps that the first payload would not wait for any more. */
  readonly released: ReadonlySet<number>;
}

export type DescribedOperation = Pick<PreparedOperation, 'program' | 'root' | 'enrichments'>;

export function describePlan({ program, root, enrichments }: DescribedOperation): PlanDescription {
  const responseNames = responseNamesOf(root);
  const isMutation = hasMutation(program);
  return {
    steps: program.steps.map(({ shape, path, dependsOn, group }) => ({
      subgraph: shape.subgraph,
      path: toClientPath(path, responseNames),
      fields: shape.keys.filter((key) => key !== '__typename'),
      dependsOn,
      group,
      isCacheable: shape.kind === 'query' && !isMutation,
    })),
    groups: program.groups,
    enrichmentGroups: enrichments.map(({ group }) => group),
  };
}

function hasMutation({ steps }: Program): boolean {
  return steps.some(({ shape }) => shape.kind === 'mutation');
}

/** Equal for plans that are shown as one. */
export function signatureOf({ steps }: PlanDescription): string {
  return JSON.stringify(steps.map((step) => Object.values(step)));
}

/** Returns the fields whose deferral would take a fetch out of the way of the first payload: single fields, all fields of
 *  one fetch, and all fields of one subgraph. */
export function findDeferCandidates({
  program,
  root,
}: Pick<DescribedOperation, 'program' | 'root'>): readonly DeferCandidate[] {
  const { steps, groups } = program;
  if (hasMutation(program)) return [];
  const responseNames = responseNamesOf(root);
  const gating = groups[0]?.steps ?? [];
  const found = new Map<string, DeferCandidate>();
  const consider = (paths: readonly string[], subgraph?: string): void => {
    const known = paths.filter((path) => responseNames.has(path));
    if (known.length === 0 || found.size >= maxCandidates) return;
    const fields = known.map((path) => toClientText(path, responseNames));
    const key = `${subgraph ?? ''} ${fields.join()}`;
    if (found.has(key)) return;
    const group = groups.length;
    const deferred = deferFields(root, new Set(known), group);
    const assigned = assignStepsToGroups(steps, deferred, group + 1).stepsOfGroup;
    const released = new Set(gating.filter((step) => assigned[0]?.has(step) !== true));
    // A first payload without any fetch has nothing to show.
    if (released.size > 0 && released.size < gating.length) found.set(key, { subgraph, fields, released });
  };
  const pathsByStep = steps.map(({ path, shape }) => {
    const prefix = pathText(path);
    return shape.keys.map((key) => (prefix === '' ? key : `${prefix}.${key}`));
  });
  for (const index of gating) {
    const paths = pathsByStep[index] ?? [];
    for (const path of paths) consider([path]);
    const own = pathText(steps[index]?.path ?? []);
    if (own !== '') consider([own]);
    if (paths.length > 1) consider(paths);
  }
  const subgraphs = new Set(gating.map((index) => steps[index]?.shape.subgraph as string));
  if (subgraphs.size > 1) {
    for (const subgraph of subgraphs) {
      const paths = gating.flatMap((index) =>
        steps[index]?.shape.subgraph === subgraph ? (pathsByStep[index] ?? []) : [],
      );
      consider([...new Set(paths)], subgraph);
    }
  }
  return [...found.values()];
}

/** Finding out about one candidate takes time in proportion to the size of the operation. */
const maxCandidates = 30;

/** The response name of each field of a first payload, by its path of internal names joined by dots. */
function responseNamesOf(root: SelectionSet): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  visit(root.selections, '');
  return names;

  function visit(selections: readonly Selection[], prefix: string): void {
    for (const selection of selections) {
      if (selection.kind === 'Fragment') visit(selection.selectionSet.selections, prefix);
      if (selection.kind === 'Deferred') visit(selection.own.selections, prefix);
      if (selection.kind !== 'Field' || selection.fieldName === '__typename') continue;
      const path = prefix === '' ? selection.internalName : `${prefix}.${selection.internalName}`;
      names.set(path, selection.responseName);
      if (selection.selectionSet !== undefined) visit(selection.selectionSet.selections, path);
    }
  }
}

function toClientText(path: string, responseNames: ReadonlyMap<string, string>): string {
  const parts = path.split('.');
  return parts.map((name, index) => responseNames.get(parts.slice(0, index + 1).join('.')) ?? name).join('.');
}

function toClientPath(path: FlattenPath, responseNames: ReadonlyMap<string, string>): readonly string[] {
  let prefix = '';
  return path.map((segment) => {
    if (segment.kind === 'list') return '@';
    prefix = prefix === '' ? segment.name : `${prefix}.${segment.name}`;
    return responseNames.get(prefix) ?? segment.name;
  });
}

/** The same selections with some fields in a delivery group of their own. */
function deferFields(root: SelectionSet, paths: ReadonlySet<string>, group: number): SelectionSet {
  return new SelectionSet(copy(root.selections, ''));

  function copy(selections: readonly Selection[], prefix: string): Selection[] {
    return selections.map((selection): Selection => {
      if (selection.kind === 'Deferred') return selection;
      const path =
        selection.kind === 'Fragment'
          ? prefix
          : prefix === ''
            ? selection.internalName
            : `${prefix}.${selection.internalName}`;
      const own = selection.selectionSet;
      const selectionSet = own && new SelectionSet(copy(own.selections, path));
      const isDeferred = selection.kind === 'Field' && paths.has(path);
      return { ...selection, selectionSet, ...(isDeferred ? { enrichmentGroup: group } : {}) } as Selection;
    });
  }
}
