import type { DeferredFragment, SelectionSet } from '../operation/selection.ts';
import { printPlan } from '../planning/printPlan.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import { findCriticalPaths, type PathStep } from './criticalPath.ts';

/** Prints a plan, its deferred fragments, and the critical path of the first payload. */
export function printPlanReport(plan: QueryPlan, root: SelectionSet): string {
  const { initial, deferred } = findCriticalPaths(plan);
  const blocks = new Map(deferred.map((block) => [block.label, block]));
  const fragments = listDeferred(root);
  const lines = [printPlan(plan), ''];

  lines.push(fragments.length === 0 ? 'Deferred: nothing' : 'Deferred:');
  for (const { group, label, path } of fragments) {
    const name = label === undefined ? `${group}` : `${group} "${label}"`;
    const position = path === '' ? 'at the root' : `at ${path}`;
    const block = blocks.get(String(group));
    const chain =
      block === undefined
        ? 'sent when its data is complete: the planner does not split it off'
        : printChain(block.steps);
    lines.push(`  ${name} ${position}: ${chain}`);
  }

  lines.push(`Critical path${fragments.length === 0 ? '' : ' of the first payload'}: ${printChain(initial)}`);
  return `${lines.join('\n')}\n`;
}

function printChain(steps: readonly PathStep[]): string {
  if (steps.length === 0) return 'no fetch';
  const names = steps.map(({ subgraph, path }) => (path === '' ? subgraph : `${subgraph} (${path})`));
  const count = steps.length === 1 ? '1 fetch' : `${steps.length} sequential fetches`;
  return `${count}: ${names.join(' → ')}`;
}

interface DeferredUse {
  readonly group: number;
  readonly label: string | undefined;
  /** Response names down to the fragment; empty at the root. */
  readonly path: string;
}

/** The uses of `@defer` in a normalized operation, by delivery group. */
function listDeferred(root: SelectionSet): DeferredUse[] {
  const uses: DeferredUse[] = [];
  visit(root, []);
  return uses.sort((left, right) => left.group - right.group);

  function visit(set: SelectionSet, path: readonly string[]): void {
    for (const selection of set.selections) {
      if (selection.kind === 'Field') {
        if (selection.selectionSet !== undefined)
          visit(selection.selectionSet, [...path, selection.responseName]);
      } else if (selection.kind === 'Fragment') visit(selection.selectionSet, path);
      else visitDeferred(selection, path);
    }
  }

  function visitDeferred({ group, label, own }: DeferredFragment, path: readonly string[]): void {
    uses.push({ group, label, path: path.join('.') });
    visit(own, path);
  }
}
