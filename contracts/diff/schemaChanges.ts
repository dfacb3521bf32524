import { type Change, CriticalityLevel, diff, type TypeOfChangeType } from '@graphql-inspector/core';
import { Kind, print } from 'graphql';
import { haveSameDefault } from '../graph/findDifferingArguments.ts';
import { inputAt } from '../graph/findInvalidUses.ts';
import type { Severity } from '../severity.ts';
import { changeRules } from './changeRules.ts';
import { classifySchemaChange } from './classifySchemaChange.ts';
import {
  becomesNonNull,
  defaultValuesOf,
  describeDefaultChange,
  isImpliedByRequired,
} from './defaultChanges.ts';
import { ancestorsOf } from './elements.ts';
import { isKnownDirective } from './specificationNames.ts';
import type { SubgraphChange } from './subgraphChange.ts';
import type { SubgraphVersion } from './subgraphVersion.ts';

/** A change by GraphQL Inspector. */
type SchemaChange = Change<TypeOfChangeType>;

/** Finds changes of types, fields, arguments, enum values and directive definitions. Members of an added or removed
 *  element are not reported. GraphQL Inspector's own rules are not used: they hide removed types, compare names by
 *  prefix, or do not know entities. */
export async function schemaChanges(
  old: SubgraphVersion,
  next: SubgraphVersion,
): Promise<readonly SubgraphChange[]> {
  const changes = (await diff(old.schema, next.schema))
    .map((change: SchemaChange) => ({ change, coordinate: coordinateOf(change) }))
    .filter(({ coordinate }) => !isAddedByFederation(coordinate, old, next));
  const added = new Set(
    changes.flatMap(({ change, coordinate }) => (isAddition(change) ? [coordinate] : [])),
  );
  const roots = new Set(
    changes.flatMap(({ change, coordinate }) => (isRootTypeChange(change) ? [coordinate] : [])),
  );
  const required = new Set(
    changes.flatMap(({ change, coordinate }) => (becomesNonNull(change) ? [coordinate] : [])),
  );

  return changes.flatMap(({ change, coordinate }) => {
    const rule = changeRules[change.type];
    if (rule === 'ignored' || rule === 'by meaning') return [];
    const isWithinAdded =
      ancestorsOf(coordinate).some((holder) => added.has(holder)) ||
      (added.has(coordinate) && !isAddition(change) && !isRootTypeChange(change));
    const isReportedAsRoot = roots.has(coordinate) && (rule === 'type-added' || rule === 'type-removed');
    if (isWithinAdded || isReportedAsRoot || isImpliedByRequired(change, coordinate, required)) return [];
    if (defaultValuesOf(change) !== undefined && isSameDefault(coordinate, old, next)) return [];
    const severity = librarySeverity[change.criticality.level];
    const classified = classifySchemaChange({ rule, severity, coordinate, old, next });
    return classified === undefined
      ? []
      : [{ ...classified, message: describeChange(change, coordinate, old, next), coordinate }];
  });
}

const librarySeverity: Readonly<Record<CriticalityLevel, Severity>> = {
  [CriticalityLevel.Breaking]: 'breaking',
  [CriticalityLevel.Dangerous]: 'dangerous',
  [CriticalityLevel.NonBreaking]: 'safe',
};

const rootTypeNames: ReadonlyMap<TypeOfChangeType, string> = new Map([
  ['SCHEMA_MUTATION_TYPE_CHANGED', 'Mutation'],
  ['SCHEMA_SUBSCRIPTION_TYPE_CHANGED', 'Subscription'],
]);

function describeChange(
  change: SchemaChange,
  coordinate: string,
  old: SubgraphVersion,
  next: SubgraphVersion,
): string {
  const defaults = defaultValuesOf(change);
  if (defaults === undefined) return change.message;
  return describeDefaultChange(coordinate, {
    before: writtenDefault(old, coordinate) ?? defaults.before,
    after: writtenDefault(next, coordinate) ?? defaults.after,
  });
}

/** Whether a default value is only written in another way. */
function isSameDefault(coordinate: string, old: SubgraphVersion, next: SubgraphVersion): boolean {
  const [before, after] = [inputAt(old.schema, coordinate), inputAt(next.schema, coordinate)];
  return before !== undefined && after !== undefined && haveSameDefault(before, after);
}

/** A default value as the SDL has it. GraphQL Inspector writes an enum value like a string. */
function writtenDefault({ elements }: SubgraphVersion, coordinate: string): string | undefined {
  const element = elements.get(coordinate);
  return element?.kind === Kind.INPUT_VALUE_DEFINITION && element.defaultValue !== undefined
    ? print(element.defaultValue)
    : undefined;
}

function isRootTypeChange({ type }: SchemaChange): boolean {
  return rootTypeNames.has(type);
}

function isAddition({ type }: SchemaChange): boolean {
  return type === 'TYPE_ADDED' || type === 'FIELD_ADDED' || type === 'DIRECTIVE_ADDED';
}

/** GraphQL Inspector joins the parts of a coordinate by dots. */
function coordinateOf({ type, path = '' }: SchemaChange): string {
  const root = rootTypeNames.get(type);
  if (root !== undefined) return root;
  const [first = '', second, third] = path.split('.');
  if (second === undefined) return first;
  if (first.startsWith('@')) return `${first}(${second}:)`;
  const isOfArgument = third !== undefined && !third.startsWith('@');
  return `${first}.${second}${isOfArgument ? `(${third}:)` : ''}`;
}

function isAddedByFederation(coordinate: string, old: SubgraphVersion, next: SubgraphVersion): boolean {
  const [name = ''] = coordinate.split(/[.(]/);
  const versions = [old.subgraph, next.subgraph];
  if (name.startsWith('@')) {
    return versions.some((subgraph) => isKnownDirective(subgraph.canonicalDirectiveName(name.slice(1))));
  }
  return (
    versions.some((subgraph) => subgraph.isSpecificationType(name)) ||
    /^Query\.(_entities|_service)\b/.test(coordinate)
  );
}
