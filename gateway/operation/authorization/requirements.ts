import { type ConstDirectiveNode, type ConstValueNode, type DocumentNode, Kind } from 'graphql';
import { linkedDirectiveNames, nonNullArgumentsOf } from '../../planning/linkedDirectives.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';

/** What a client needs for reading a type or field: one application of `@authenticated`, `@requiresScopes` or `@policy`. */
export interface Requirement {
  readonly kind: 'authenticated' | 'scopes' | 'policies';
  /** At least one of these sets must be granted as a whole. Empty for `authenticated`. */
  readonly alternatives: readonly (readonly string[])[];
  /** Equal for equal requirements, such as `scopes [["read:email"]]`. Plain text, so that it can be stored. */
  readonly name: string;
}

interface RequirementDirective {
  readonly kind: Requirement['kind'];
  /** Name of the directive, and of its specification. */
  readonly name: string;
  readonly argument: string | undefined;
}

const directives: readonly RequirementDirective[] = [
  { kind: 'authenticated', name: 'authenticated', argument: undefined },
  { kind: 'scopes', name: 'requiresScopes', argument: 'scopes' },
  { kind: 'policies', name: 'policy', argument: 'policies' },
];

/** Every version is read: a directive of a later version must not be without effect. */
function specUrl({ name }: RequirementDirective): string {
  return `https://specs.apollo.dev/${name}/`;
}

/** Whether a supergraph may have requirements. Decides without parsing it. */
export function mayHaveRequirements(sdl: string): boolean {
  return directives.some((directive) => sdl.includes(specUrl(directive)));
}

interface RequirementsResult {
  /** By coordinate: `Type` or `Type.field`. Equal requirements are one object. */
  readonly requirements: ReadonlyMap<string, readonly Requirement[]>;
  /** Directives that cannot be read: reasons to refuse the supergraph. */
  readonly problems: readonly string[];
}

/** Reads `@authenticated`, `@requiresScopes` and `@policy` of a supergraph, under any imported name. */
export function readRequirements(document: DocumentNode): RequirementsResult {
  const byDirective = new Map<string, RequirementDirective>();
  for (const directive of directives) {
    const isSpec = (url: string): boolean => url.startsWith(specUrl(directive));
    for (const name of linkedDirectiveNames(document, directive.name, {
      isSpec,
      defaultPrefix: directive.name,
    })) {
      byDirective.set(name, directive);
    }
  }
  const requirements = new Map<string, Requirement[]>();
  const problems: string[] = [];
  const known = new Map<string, Requirement>();
  const read = (coordinate: string, applied: readonly ConstDirectiveNode[] = []): void => {
    for (const node of applied) {
      const directive = byDirective.get(node.name.value);
      if (directive === undefined) continue;
      const alternatives = readAlternatives(node, directive);
      if (alternatives === undefined) {
        problems.push(
          `${coordinate}: @${node.name.value} needs \`${directive.argument}\`, a list of lists of strings. Compose the supergraph again.`,
        );
        continue;
      }
      if (directive.argument !== undefined && isAlwaysGranted(alternatives)) continue;
      const name =
        directive.argument === undefined
          ? directive.kind
          : `${directive.kind} ${JSON.stringify(alternatives)}`;
      const requirement = known.get(name) ?? { kind: directive.kind, alternatives, name };
      known.set(name, requirement);
      getOrInsertComputed(requirements, coordinate, () => []).push(requirement);
    }
  };
  for (const definition of document.definitions) {
    if (!('name' in definition) || definition.name === undefined) continue;
    const type = definition.name.value;
    if ('directives' in definition) read(type, definition.directives as readonly ConstDirectiveNode[]);
    if (
      definition.kind !== Kind.OBJECT_TYPE_DEFINITION &&
      definition.kind !== Kind.INTERFACE_TYPE_DEFINITION
    ) {
      continue;
    }
    for (const field of definition.fields ?? []) read(`${type}.${field.name.value}`, field.directives);
  }
  return { requirements, problems };
}

/** An empty set is granted to everyone; composition reads an empty list of sets in the same way. */
function isAlwaysGranted(alternatives: readonly (readonly string[])[]): boolean {
  return alternatives.length === 0 || alternatives.some((names) => names.length === 0);
}

/** Sorted, without duplicates. `undefined` for an invalid argument. */
function readAlternatives(
  node: ConstDirectiveNode,
  { argument }: RequirementDirective,
): readonly (readonly string[])[] | undefined {
  if (argument === undefined) return [];
  const sets = itemsOf(nonNullArgumentsOf(node).get(argument))?.map(namesOf);
  if (sets === undefined || sets.includes(undefined)) return undefined;
  const texts = new Set((sets as string[][]).map((names) => JSON.stringify([...new Set(names)].sort())));
  return [...texts].sort().map((text) => JSON.parse(text) as string[]);
}

/** GraphQL coerces a single value to a list. */
function itemsOf(value: ConstValueNode | undefined): readonly ConstValueNode[] | undefined {
  return value === undefined || value.kind === Kind.LIST ? value?.values : [value];
}

function namesOf(value: ConstValueNode): string[] | undefined {
  const names = itemsOf(value)?.map((item) => (item.kind === Kind.STRING ? item.value : undefined));
  return names?.includes(undefined) === true ? undefined : (names as string[] | undefined);
}
