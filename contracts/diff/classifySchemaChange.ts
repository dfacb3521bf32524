import { DirectiveLocation, Kind } from 'graphql';
import { namedTypeOf } from '../../gateway/planning/supergraphDocument.ts';
import type { SubgraphRuleId } from '../rules.ts';
import type { Severity } from '../severity.ts';
import { applicationsOf } from './canonicalSubgraph.ts';
import type { ElementNode } from './elements.ts';
import type { SubgraphVersion } from './subgraphVersion.ts';

interface SchemaChangeInput {
  readonly rule: SubgraphRuleId;
  /** The severity by GraphQL Inspector, for which the schema is a whole API. */
  readonly severity: Severity;
  readonly coordinate: string;
  readonly old: SubgraphVersion;
  readonly next: SubgraphVersion;
}

/** Rates a change for a subgraph, which serves only a part of the API; `undefined` when the comparison of directives
 *  reports it. */
export function classifySchemaChange(
  change: SchemaChangeInput,
): { readonly rule: SubgraphRuleId; readonly severity: Severity } | undefined {
  const { rule, severity, coordinate, old, next } = change;
  const before = old.elements.get(coordinate);
  const after = next.elements.get(coordinate);
  const rated = (classified: Severity) => ({ rule, severity: classified });

  switch (rule) {
    case 'field-added':
      return isExternal(after) ? { rule: 'external-field-added', severity: 'safe' } : rated(severity);
    case 'field-removed':
      if (isExternal(before)) return { rule: 'external-field-removed', severity: 'safe' };
      return rated(isInaccessible(before) ? 'dangerous' : severity);
    case 'enum-value-removed':
      return rated(isInaccessible(before) || !isEnumUsed('in', coordinate, old) ? 'dangerous' : severity);
    case 'type-removed':
    case 'input-field-removed':
      return rated(isInaccessible(before) ? 'dangerous' : severity);
    case 'field-type-changed':
      return isExternal(before) && isExternal(after)
        ? { rule: 'external-field-type-changed', severity: 'safe' }
        : rated(severity);
    case 'enum-value-added':
      return rated(isEnumUsed('out', coordinate, next) ? severity : 'safe');
    case 'argument-added':
      if (isFromContext(after)) return undefined;
      // GraphQL Inspector warns of every new argument. Clients that omit an optional one are not affected.
      return rated(severity === 'dangerous' ? 'safe' : severity);
    case 'argument-removed':
      return isFromContext(before)
        ? { rule: 'from-context-removed', severity: 'dangerous' }
        : rated(severity);
    case 'type-kind-changed':
      if (isInterfaceObject(before) || isInterfaceObject(after)) return undefined;
      return rated(severity);
    default:
      return rated(rule.startsWith('directive-') && !isExecutable(coordinate, old, next) ? 'safe' : severity);
  }
}

function isExternal(node: ElementNode | undefined): boolean {
  return applicationsOf(node, 'federation__external').length > 0;
}

/** Clients do not see an inaccessible element, but other subgraphs may need it. */
function isInaccessible(node: ElementNode | undefined): boolean {
  return applicationsOf(node, 'federation__inaccessible').length > 0;
}

/** An argument from a context is not part of the API. */
function isFromContext(node: ElementNode | undefined): boolean {
  return applicationsOf(node, 'federation__fromContext').length > 0;
}

function isInterfaceObject(node: ElementNode | undefined): boolean {
  return applicationsOf(node, 'federation__interfaceObject').length > 0;
}

/** Whether clients pass values of the enum (in arguments and input fields), or receive them (from fields). */
function isEnumUsed(where: 'in' | 'out', value: string, { elements }: SubgraphVersion): boolean {
  const [name] = value.split('.');
  const kind = where === 'in' ? Kind.INPUT_VALUE_DEFINITION : Kind.FIELD_DEFINITION;
  return [...elements.values()].some((element) => element.kind === kind && namedTypeOf(element) === name);
}

/** Whether operations can use the directive in either version. */
function isExecutable(coordinate: string, ...versions: readonly SubgraphVersion[]): boolean {
  const [name = ''] = coordinate.slice(1).split('(');
  return versions.some(({ schema }) =>
    schema.getDirective(name)?.locations.some((location) => executableLocations.has(location)),
  );
}

const executableLocations: ReadonlySet<string> = new Set([
  DirectiveLocation.QUERY,
  DirectiveLocation.MUTATION,
  DirectiveLocation.SUBSCRIPTION,
  DirectiveLocation.FIELD,
  DirectiveLocation.FRAGMENT_DEFINITION,
  DirectiveLocation.FRAGMENT_SPREAD,
  DirectiveLocation.INLINE_FRAGMENT,
  DirectiveLocation.VARIABLE_DEFINITION,
]);
