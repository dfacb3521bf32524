import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import type { Waiver } from '../contractStore.ts';
import type { SubgraphStatements } from '../drift/subgraphStatements.ts';
import { allowsFailure } from '../store/applyWaivers.ts';
import type { Breakage } from './breakage.ts';
import {
  type ApiSchemas,
  coversBreakage,
  coversInheritedField,
  coversLeftInterface,
  coversSelection,
} from './coversBreakage.ts';

/** What two supergraphs say about each subgraph. */
export interface StatementsOfVersions {
  readonly old: SubgraphStatements;
  readonly next: SubgraphStatements;
}

interface SupergraphVersions extends ApiSchemas {
  /** `undefined` without an earlier supergraph. */
  statements(): StatementsOfVersions | undefined;
}

/** Whether waivers of changes cover a breakage, as far as that is known without the changes: as in a check, which
 *  attributes breakages to changes. */
export function waiversCoverBreakage(
  waivers: readonly Waiver[],
  breakage: Breakage,
  versions: SupergraphVersions,
): boolean {
  const covering = waivers.filter((waiver) => waiverCovers(waiver, breakage, versions));
  return covering.some((waiver) => isOfChangedSubgraph(waiver, covering, breakage, versions));
}

function waiverCovers(
  { rule, coordinate, subgraph }: Waiver,
  breakage: Breakage,
  schemas: ApiSchemas,
): boolean {
  if (!allowsFailure(rule)) return false;
  const { consumer, name } = breakage.operation;
  // As in a check: a finding about an operation is about no subgraph.
  if (coordinate === `${consumer}/${name}`) return subgraph === undefined;
  const names = rule.startsWith('union-member-')
    ? [coordinate, ...changedMembersOf(coordinate, schemas)]
    : [coordinate];
  return names.some((changed) => {
    const change = {
      rule,
      severity: 'breaking',
      message: '',
      coordinate: changed,
      subgraph: subgraph ?? breakage.subgraph,
    } as const;
    return [coversBreakage, coversInheritedField, coversLeftInterface, coversSelection].some((covers) =>
      covers(change, breakage, schemas),
    );
  });
}

/** Whether the subgraph of the waiver can have made the change. Where several subgraphs stop serving an element, each
 *  needs a waiver. A supergraph has one type for an element of several subgraphs, and says of some directives only that
 *  they apply, so each subgraph that has the element can have changed these. */
function isOfChangedSubgraph(
  { coordinate, rule, subgraph }: Waiver,
  covering: readonly Waiver[],
  breakage: Breakage,
  { statements }: SupergraphVersions,
): boolean {
  // The subgraph of a breakage is compared already.
  if (subgraph === undefined || breakage.subgraph !== undefined) return true;
  const known = statements();
  if (known === undefined) return true;
  const [before, after] = [known.old, known.next].map((version) => subgraphsWith(version, coordinate)) as [
    Set<string>,
    Set<string>,
  ];
  const all = before.union(after);
  // A supergraph does not say which subgraphs define a directive.
  if (all.size === 0) return true;
  if (!all.has(subgraph)) return false;
  const lost = before.difference(after);
  if (lost.size === 0 || !rule.endsWith('-removed')) return true;
  const waived = new Set(
    covering.filter((other) => other.coordinate === coordinate).map((other) => other.subgraph),
  );
  return lost.has(subgraph) && lost.isSubsetOf(waived);
}

function subgraphsWith(statements: SubgraphStatements, coordinate: string): Set<string> {
  // Arguments are part of the statement about their field.
  const element = coordinate.replace(/\(.*/, '');
  return new Set([...statements].flatMap(([name, own]) => (own.has(element) ? [name] : [])));
}

/** Names of the types that a union gains or loses. */
function changedMembersOf(union: string, { old, next }: ApiSchemas): ReadonlySet<string> {
  const [before, after] = [old, next].map(
    (schema) => new Set(schema && possibleTypesOf(schema, schema.getType(union)).map(({ name }) => name)),
  ) as [Set<string>, Set<string>];
  return before.symmetricDifference(after);
}
