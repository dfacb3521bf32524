import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import type { Waiver } from '../contractStore.ts';
import { allowsFailure } from '../store/applyWaivers.ts';
import type { Breakage } from './breakage.ts';
import { type ApiSchemas, coversBreakage, coversInheritedField, coversSelection } from './coversBreakage.ts';

/** Whether a waiver of a change covers a breakage, as far as that can be told without the change: as in a check, which
 *  attributes breakages to changes. */
export function waiverCoversBreakage(waiver: Waiver, breakage: Breakage, schemas: ApiSchemas): boolean {
  const { rule, coordinate } = waiver;
  if (!allowsFailure(rule)) return false;
  const { consumer, name } = breakage.operation;
  if (coordinate === `${consumer}/${name}`) return true;
  const names = rule.startsWith('union-member-')
    ? [coordinate, ...changedMembersOf(coordinate, schemas)]
    : [coordinate];
  return names.some((changed) => {
    const change = { rule, severity: 'breaking', message: '', coordinate: changed } as const;
    return [coversBreakage, coversInheritedField, coversSelection].some((covers) =>
      covers(change, breakage, schemas),
    );
  });
}

/** Names of the types that a union gains or loses. */
function changedMembersOf(union: string, { old, next }: ApiSchemas): ReadonlySet<string> {
  const [before, after] = [old, next].map(
    (schema) => new Set(schema && possibleTypesOf(schema, schema.getType(union)).map(({ name }) => name)),
  ) as [Set<string>, Set<string>];
  return before.symmetricDifference(after);
}
