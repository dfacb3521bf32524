import { type GraphQLSchema, getNamedType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import { ancestorsOf } from '../diff/elements.ts';
import { unionMemberOf } from '../diff/unionMemberOf.ts';
import type { Finding } from '../finding.ts';
import type { Breakage } from './breakage.ts';

/** The API before and after. */
export interface ApiSchemas {
  readonly old: GraphQLSchema | undefined;
  readonly next: GraphQLSchema | undefined;
}

/** Whether a change can be the reason of a trouble. */
export function coversBreakage(change: Finding, trouble: Breakage, schemas: ApiSchemas): boolean {
  const { subgraph, coordinate, rule } = change;
  if (trouble.subgraph !== undefined && trouble.subgraph !== subgraph) return false;
  if (coordinate === undefined || !isPossibleCause(rule, trouble)) return false;
  const names = new Set([coordinate, unionMemberOf(change)]);
  const within = providedTypeOf(change, schemas);
  return trouble.coordinates.some(
    (place) =>
      names.has(place) ||
      (wholeElementRules.test(rule) && ancestorsOf(place).includes(coordinate)) ||
      (within !== undefined && place.startsWith(`${within}.`)) ||
      (rule === 'type-kind-changed' && typesOf(place, schemas).includes(coordinate)),
  );
}

/** What is there as a whole or not at all. */
const wholeElementRules = /^(type|field|external-field|inaccessible|external|override|interface-object)-/;

/** Whether a change only gives: where something is missed in the end, it is not the reason. */
export function isAdditive({ rule }: Finding): boolean {
  return gainRules.has(rule) || rule === 'field-added' || rule === 'type-added';
}

/** Where a subgraph lost something, old plans miss it; where it got something, new plans miss it in the old one. What
 *  it needs is the other way round. */
function isPossibleCause(rule: string, { phase }: Breakage): boolean {
  if (phase === 'in the end') return true;
  const missed = phase === 'old gateways' ? lossRules : gainRules;
  const other = phase === 'old gateways' ? gainRules : lossRules;
  return missed.has(rule) || !other.has(rule);
}

const lossRules: ReadonlySet<string> = new Set([
  'key-removed',
  'key-not-resolvable',
  'provides-removed',
  'provides-narrowed',
  'requires-added',
  'requires-widened',
  'external-added',
  'external-field-added',
]);
const gainRules: ReadonlySet<string> = new Set([
  'key-added',
  'key-resolvable',
  'provides-added',
  'provides-widened',
  'requires-removed',
  'requires-narrowed',
  'external-removed',
  'override-added',
  'override-label-removed',
]);

/** Of what a `@provides` is about. */
function providedTypeOf({ rule, coordinate = '' }: Finding, schemas: ApiSchemas): string | undefined {
  return rule.startsWith('provides-') ? typesOf(coordinate, schemas)[0] : undefined;
}

/** Names of the types that a field, an argument or an input field has in the APIs. */
function typesOf(coordinate: string, { old, next }: ApiSchemas): readonly string[] {
  const [, typeName = '', memberName = '', argumentName] =
    /^(\w+)\.(\w+)(?:\((\w+):\))?$/.exec(coordinate) ?? [];
  return [next, old].flatMap((schema) => {
    const type = schema?.getType(typeName);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return [];
    const member = type.getFields()[memberName];
    if (member === undefined || argumentName === undefined)
      return member ? [getNamedType(member.type).name] : [];
    const argument = 'args' in member ? member.args.find(({ name }) => name === argumentName) : undefined;
    return argument === undefined ? [] : [getNamedType(argument.type).name];
  });
}
