import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { Finding } from '../finding.ts';
import type { Breakage } from './breakage.ts';
import {
  type ApiSchemas,
  coversBreakage,
  coversInheritedField,
  coversLeftInterface,
  coversSelection,
  isAdditive,
  unionMemberOf,
} from './coversBreakage.ts';

interface BreakageAttribution<B extends Breakage = Breakage> {
  /** The breakages by the change that causes them. */
  readonly byChange: ReadonlyMap<Finding, readonly B[]>;
  readonly unattributed: readonly B[];
}

/** Attributes each breakage to the changes that may cause it. One breakage may have several causes. */
export function attributeBreakages<B extends Breakage>(
  changes: readonly Finding[],
  breakages: readonly B[],
  schemas: ApiSchemas,
): BreakageAttribution<B> {
  const byChange = new Map<Finding, B[]>();
  const unattributed: B[] = [];
  // Thousands of operations may break for the same reason.
  const known = new Map<string, readonly Finding[]>();
  for (const breakage of breakages) {
    const { phase, subgraph, coordinates } = breakage;
    const ownCauses = getOrInsertComputed(known, JSON.stringify([phase, subgraph, coordinates]), () =>
      causesOf(breakage, changes, schemas),
    );
    const causes = ownCauses.length > 0 ? ownCauses : remoteCausesOf(breakage, changes, schemas);
    if (causes.length === 0) unattributed.push(breakage);
    for (const change of causes) getOrInsertComputed(byChange, change, () => []).push(breakage);
  }
  return { byChange, unattributed };
}

/** The changes of what a breakage is about, whichever operation breaks. */
function causesOf(breakage: Breakage, changes: readonly Finding[], schemas: ApiSchemas): readonly Finding[] {
  const covering = changes.filter((change) => coversBreakage(change, breakage, schemas));
  const candidates = covering.filter((change) => !isAboutAnotherMember(change, covering, breakage));
  // A safe change is a cause only when no worse change is.
  const harmful = candidates.filter(({ severity }) => severity !== 'safe');
  if (harmful.length > 0) return harmful;
  const removing = candidates.filter((change) => !isAdditive(change));
  if (breakage.phase === 'after rollout' && removing.length > 0) return removing;
  if (candidates.length > 0) return candidates;
  const inherited = changes.filter((change) => coversInheritedField(change, breakage, schemas));
  if (inherited.length > 0) return inherited;
  return changes.filter((change) => coversLeftInterface(change, breakage, schemas));
}

/** The changes of what an operation selects the broken part from, or of a subgraph as a whole. */
function remoteCausesOf(
  breakage: Breakage,
  changes: readonly Finding[],
  schemas: ApiSchemas,
): readonly Finding[] {
  const selections = changes.filter((change) => coversSelection(change, breakage, schemas));
  if (selections.length > 0) return selections;
  // A subgraph that is added or removed as a whole has no coordinates that a breakage could match.
  return changes.filter(
    ({ rule, subgraph }) =>
      (rule === 'subgraph-removed' || rule === 'subgraph-added') &&
      (breakage.subgraph === undefined || breakage.subgraph === subgraph),
  );
}

/** Whether a breakage is about one member of a union, as at a fragment, and the change about another one. */
function isAboutAnotherMember(
  change: Finding,
  covering: readonly Finding[],
  { coordinates }: Breakage,
): boolean {
  const isNamed = (other: Finding): boolean => coordinates.includes(unionMemberOf(other) ?? '');
  return (
    unionMemberOf(change) !== undefined &&
    !isNamed(change) &&
    covering.some((other) => other.coordinate === change.coordinate && isNamed(other))
  );
}
