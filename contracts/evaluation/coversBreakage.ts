import {
  type GraphQLInterfaceType,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  Kind,
  visit,
} from 'graphql';
import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { ancestorsOf } from '../diff/elements.ts';
import type { Finding } from '../finding.ts';
import { fieldOf } from '../graph/fieldOf.ts';
import { type RuleId, ruleOf } from '../rules.ts';
import type { Breakage } from './breakage.ts';

/** The API schema before and after the change. */
export interface ApiSchemas {
  readonly old: GraphQLSchema | undefined;
  readonly next: GraphQLSchema | undefined;
}

/** Whether a change can be the cause of a breakage. */
export function coversBreakage(change: Finding, breakage: Breakage, schemas: ApiSchemas): boolean {
  const { subgraph, coordinate, rule } = change;
  if (!isInSubgraph(breakage, subgraph)) return false;
  if (coordinate === undefined || !isPossibleCause(rule, breakage)) return false;
  const member = unionMemberOf(change);
  const providedType = providedTypeOf(change, schemas);
  return breakage.coordinates.some(
    (affected) =>
      affected === coordinate ||
      affected === member ||
      (ruleOf(rule).coversMembers === true &&
        affected.startsWith(coordinate) &&
        ancestorsOf(affected).includes(coordinate)) ||
      (providedType !== undefined && affected.startsWith(`${providedType}.`)) ||
      (rule === 'type-kind-changed' && typesOf(affected, schemas).includes(coordinate)),
  );
}

/** Whether a change of a subgraph can cause the breakage: it is about the whole graph or about that subgraph. */
function isInSubgraph(breakage: Breakage, subgraph: string | undefined): boolean {
  return breakage.subgraph === undefined || breakage.subgraph === subgraph;
}

/** Whether a change of an interface can be the cause of a breakage of a field in a type that implements it: with
 *  `@interfaceObject`, types get fields from a subgraph that does not know them. */
export function coversInheritedField(change: Finding, breakage: Breakage, schemas: ApiSchemas): boolean {
  const { old, next } = schemas;
  return breakage.coordinates.some((affected) => {
    const [typeName = '', member = ''] = affected.split('.');
    const before = interfacesOf(old, typeName);
    const after = new Set(interfacesOf(next, typeName).map(({ name }) => name));
    const inherited = before.filter((type) => fieldOf(type, member.split('(')[0] ?? '') !== undefined);
    if (change.rule === 'interface-removed' && change.coordinate === typeName)
      return isInSubgraph(breakage, change.subgraph) && inherited.some(({ name }) => !after.has(name));
    const coordinates = inherited.map(({ name }) => `${name}.${member}`);
    return coversBreakage(change, { ...breakage, coordinates }, schemas);
  });
}

/** Whether a type that leaves an interface can be why a fragment applies to none of the types of the interface. */
export function coversLeftInterface(
  { rule, subgraph, coordinate = '' }: Finding,
  breakage: Breakage,
  { old, next }: ApiSchemas,
): boolean {
  if (rule !== 'interface-removed' || !isInSubgraph(breakage, subgraph)) return false;
  const after = new Set(interfacesOf(next, coordinate).map(({ name }) => name));
  return interfacesOf(old, coordinate).some(
    ({ name }) => !after.has(name) && breakage.coordinates.includes(name),
  );
}

/** The interfaces of a type; none if the schema lacks the type. */
export function interfacesOf(
  schema: GraphQLSchema | undefined,
  typeName: string,
): readonly GraphQLInterfaceType[] {
  const type = schema?.getType(typeName);
  return isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : [];
}

/** Whether a field that returns another type can be the cause of a breakage in what operations select from the field. */
export function coversSelection(
  { rule, subgraph, coordinate = '' }: Finding,
  breakage: Breakage,
  schemas: ApiSchemas,
): boolean {
  if (!/^(?:external-)?field-type-changed$/.test(rule) || !isInSubgraph(breakage, subgraph)) return false;
  const returned = new Set(typesOf(coordinate, schemas));
  if (returned.size < 2 || !selectsField(breakage.operation, coordinate)) return false;
  const types = new Set([...returned].flatMap((name) => [name, ...possibleTypeNamesOf(name, schemas)]));
  return breakage.coordinates.some((affected) => types.has(affected.split('.')[0] ?? ''));
}

/** Whether an operation selects a field of that name, on any type. */
function selectsField({ document }: ConsumerOperation, coordinate: string): boolean {
  const [, fieldName] = coordinate.split('.');
  let isSelected = false;
  visit(document, {
    [Kind.FIELD]: ({ name }) => {
      isSelected ||= name.value === fieldName;
    },
  });
  return isSelected;
}

function possibleTypeNamesOf(name: string, { old, next }: ApiSchemas): readonly string[] {
  return [old, next].flatMap((schema) =>
    schema === undefined ? [] : possibleTypesOf(schema, schema.getType(name)).map((type) => type.name),
  );
}

/** Whether a change only adds: it cannot be why something is missing after the rollout. */
export function isAdditive({ rule }: Finding): boolean {
  const { direction } = ruleOf(rule);
  return direction === 'gain' || direction === 'addition';
}

/** While gateways have the old supergraph, only a loss of a subgraph breaks their plans; while the old subgraph runs, only
 *  a gain of the new one. */
function isPossibleCause(rule: RuleId, { phase }: Breakage): boolean {
  const { direction } = ruleOf(rule);
  if (phase === 'after rollout' || direction === undefined || direction === 'addition') return true;
  return direction === (phase === 'old gateways' ? 'loss' : 'gain');
}

/** The type whose fields a `@provides` provides. */
function providedTypeOf({ rule, coordinate = '' }: Finding, schemas: ApiSchemas): string | undefined {
  return rule.startsWith('provides-') ? typesOf(coordinate, schemas)[0] : undefined;
}

/** Names of the types that a field, an argument or an input field has in both API schemas. */
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

const unionMemberMessage = /^Member '(\w+)' was (?:added to|removed from) Union type '\w+'/;

/** The type that a union gains or loses; `undefined` for any other change. Union members have no coordinates: the
 *  change has that of the union, and only its message names the member. */
export function unionMemberOf({ message }: Pick<Finding, 'message'>): string | undefined {
  return unionMemberMessage.exec(message)?.[1];
}
