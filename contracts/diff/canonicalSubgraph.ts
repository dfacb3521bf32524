import {
  type ConstDirectiveNode,
  type DirectiveDefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  isTypeDefinitionNode,
  isTypeExtensionNode,
  Kind,
  type NamedTypeNode,
  type NameNode,
  type ObjectTypeDefinitionNode,
  type ObjectTypeExtensionNode,
  parse,
  type TypeDefinitionNode,
  type TypeExtensionNode,
  visit,
} from 'graphql';
import { checkNesting } from '../../gateway/planning/checkNesting.ts';
import { defineOneOf } from '../../gateway/planning/oneOfDirective.ts';
import { argumentValueOf, type Link, schemaDirectives, textValueOf } from './links.ts';
import { isKnownDirective, readSpecificationNames } from './specificationNames.ts';

/** A subgraph's schema in canonical form: extensions are merged into their types, root types have their default
 *  names, directives have their canonical names (see `SpecificationNames`), and what federation adds by itself is
 *  removed. Nodes keep their locations in the SDL. */
export interface CanonicalSubgraph {
  /** The SDL with default names for the root types and a definition of `@oneOf` if needed, otherwise unchanged. */
  readonly document: DocumentNode;
  /** Whether the SDL has default names for the root types, too. */
  readonly hasDefaultRootNames: boolean;
  /** Types by name. */
  readonly types: ReadonlyMap<string, TypeDefinitionNode>;
  /** Definitions of the subgraph's own directives, by name. */
  readonly directives: ReadonlyMap<string, DirectiveDefinitionNode>;
  readonly links: readonly Link[];
  /** The link to the federation specification; `undefined` for a schema of Federation 1. */
  readonly federation: Link | undefined;
  /** `@composeDirective` by the name of the composed directive. */
  readonly composedDirectives: ReadonlyMap<string, ConstDirectiveNode>;
  /** The canonical name of a directive. */
  canonicalDirectiveName(name: string): string;
  /** Whether a type exists only because a specification needs it. `type` is its name in the SDL. */
  isSpecificationType(type: string): boolean;
}

/** Reads a subgraph's SDL into its canonical form.
 *  @throws {GraphQLError} when the SDL does not parse, or is nested too deep to be parsed. */
export function readCanonicalSubgraph(sdl: string): CanonicalSubgraph {
  // That of a running subgraph is from no file of a store, and may be anything.
  checkNesting(sdl);
  const original = parse(defineOneOf(sdl));
  const document = withDefaultRootNames(original);
  const names = readSpecificationNames(document);
  const renamed = withCanonicalDirectiveNames(document, names.canonicalDirectiveName);
  const needed = typesOfKnownDirectives(renamed);
  const isSpecificationType = (type: string): boolean => names.isSpecificationType(type) || needed.has(type);

  return {
    document,
    hasDefaultRootNames: document === original,
    types: readTypes(renamed, isSpecificationType),
    directives: new Map(
      renamed.definitions.flatMap((definition) =>
        definition.kind === Kind.DIRECTIVE_DEFINITION && !isKnownDirective(definition.name.value)
          ? [[definition.name.value, definition] as const]
          : [],
      ),
    ),
    links: names.links,
    federation: names.federation,
    composedDirectives: readComposedDirectives(renamed, names.canonicalDirectiveName),
    canonicalDirectiveName: names.canonicalDirectiveName,
    isSpecificationType,
  };
}

/** The applications of a directive, by its canonical name, in the order of the SDL. */
export function applicationsOf(
  node: { readonly directives?: readonly ConstDirectiveNode[] | undefined } | undefined,
  meaning: string,
): readonly ConstDirectiveNode[] {
  return (node?.directives ?? []).filter((directive) => directive.name.value === meaning);
}

interface NamedNode {
  readonly name: NameNode;
}

function withDefaultRootNames(document: DocumentNode): DocumentNode {
  const roots = rootNames(document);
  if (roots.size === 0) return document;
  const rename = <T extends NamedNode>(node: T): T | undefined => {
    const name = roots.get(node.name.value);
    return name === undefined ? undefined : withName(node, name);
  };
  return visit(document, {
    [Kind.NAMED_TYPE]: rename<NamedTypeNode>,
    [Kind.OBJECT_TYPE_DEFINITION]: rename<ObjectTypeDefinitionNode>,
    [Kind.OBJECT_TYPE_EXTENSION]: rename<ObjectTypeExtensionNode>,
  });
}

function withCanonicalDirectiveNames(
  document: DocumentNode,
  meaningOf: (name: string) => string,
): DocumentNode {
  const rename = <T extends NamedNode>(node: T): T => withName(node, meaningOf(node.name.value));
  return visit(document, {
    [Kind.DIRECTIVE]: rename<DirectiveNode>,
    [Kind.DIRECTIVE_DEFINITION]: rename<DirectiveDefinitionNode>,
  });
}

function withName<T extends NamedNode>(node: T, value: string): T {
  return { ...node, name: { ...node.name, value } };
}

/** The default names of renamed root types. The composer uses the default. */
function rootNames(document: DocumentNode): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const { operation, type } of definition.operationTypes ?? []) {
      const defaultName = `${operation.charAt(0).toUpperCase()}${operation.slice(1)}`;
      if (type.name.value !== defaultName) names.set(type.name.value, defaultName);
    }
  }
  return names;
}

function readTypes(
  document: DocumentNode,
  isSpecificationType: (type: string) => boolean,
): ReadonlyMap<string, TypeDefinitionNode> {
  const parts = new Map<string, (TypeDefinitionNode | TypeExtensionNode)[]>();
  for (const definition of document.definitions) {
    if (!isTypeDefinitionNode(definition) && !isTypeExtensionNode(definition)) continue;
    const name = definition.name.value;
    if (isSpecificationType(name)) continue;
    const known = parts.get(name);
    if (known === undefined) parts.set(name, [definition]);
    // The location of a type is that of its definition, wherever its extensions are.
    else if (isTypeDefinitionNode(definition)) known.unshift(definition);
    else known.push(definition);
  }
  const types = new Map<string, TypeDefinitionNode>();
  for (const [name, [first, ...others]] of parts) {
    if (first === undefined) continue;
    const type = others.map(toDefinition).reduce(mergeDefinitions, toDefinition(first));
    if (!isEmptyQuery(type)) types.set(name, type);
  }
  return types;
}

const definitionKinds = {
  [Kind.SCALAR_TYPE_EXTENSION]: Kind.SCALAR_TYPE_DEFINITION,
  [Kind.OBJECT_TYPE_EXTENSION]: Kind.OBJECT_TYPE_DEFINITION,
  [Kind.INTERFACE_TYPE_EXTENSION]: Kind.INTERFACE_TYPE_DEFINITION,
  [Kind.UNION_TYPE_EXTENSION]: Kind.UNION_TYPE_DEFINITION,
  [Kind.ENUM_TYPE_EXTENSION]: Kind.ENUM_TYPE_DEFINITION,
  [Kind.INPUT_OBJECT_TYPE_EXTENSION]: Kind.INPUT_OBJECT_TYPE_DEFINITION,
} as const;

/** Turns an extension into a definition with the same members. */
function toDefinition(node: TypeDefinitionNode | TypeExtensionNode): TypeDefinitionNode {
  // A definition and its extension have the same members.
  const definition = (
    isTypeExtensionNode(node) ? { ...node, kind: definitionKinds[node.kind] } : node
  ) as TypeDefinitionNode;
  if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) {
    return definition;
  }
  const isRoot = definition.name.value === 'Query';
  const inherited = (definition.directives ?? []).filter(({ name }) => fieldLevelDirectives.has(name.value));
  return {
    ...definition,
    directives: (definition.directives ?? []).filter(
      ({ name }) => !fieldLevelDirectives.has(name.value) && name.value !== 'federation__extends',
    ),
    fields: (definition.fields ?? [])
      .filter(({ name }) => !isRoot || (name.value !== '_entities' && name.value !== '_service'))
      .map((field) => ({
        ...field,
        directives: [
          ...(field.directives ?? []),
          ...inherited.filter(({ name }) => applicationsOf(field, name.value).length === 0),
        ],
      })),
  };
}

/** On a type, these apply to every field in that definition or extension. */
const fieldLevelDirectives = new Set(['federation__shareable', 'federation__external']);

function mergeDefinitions(whole: TypeDefinitionNode, part: TypeDefinitionNode): TypeDefinitionNode {
  const concatenated = Object.fromEntries(
    (['directives', 'interfaces', 'fields', 'values', 'types'] as const).map((member) => [
      member,
      [...membersOf(whole, member), ...membersOf(part, member)],
    ]),
  );
  return { ...whole, ...concatenated };
}

function membersOf(
  node: Partial<Record<'directives' | 'interfaces' | 'fields' | 'values' | 'types', readonly unknown[]>>,
  member: 'directives' | 'interfaces' | 'fields' | 'values' | 'types',
): readonly unknown[] {
  return node[member] ?? [];
}

/** Federation adds an empty `Query` to subgraphs that have none. */
function isEmptyQuery(type: TypeDefinitionNode): boolean {
  return (
    type.kind === Kind.OBJECT_TYPE_DEFINITION && type.name.value === 'Query' && type.fields?.length === 0
  );
}

function readComposedDirectives(
  document: DocumentNode,
  meaningOf: (name: string) => string,
): ReadonlyMap<string, ConstDirectiveNode> {
  const composed = new Map<string, ConstDirectiveNode>();
  for (const node of applicationsOf(
    { directives: schemaDirectives(document) },
    'federation__composeDirective',
  )) {
    const name = textValueOf(argumentValueOf(node, 'name'))?.replace(/^@/, '');
    if (name !== undefined) composed.set(meaningOf(name), node);
  }
  return composed;
}

/** Types that only the arguments of known directives mention, such as `CacheScope` of `@cached`. */
function typesOfKnownDirectives(document: DocumentNode): ReadonlySet<string> {
  const needed = new Set<string>();
  const used = new Set<string>();
  for (const definition of document.definitions) {
    const isKnown = definition.kind === Kind.DIRECTIVE_DEFINITION && isKnownDirective(definition.name.value);
    const mentioned = isKnown ? needed : used;
    visit(definition, {
      enter(node) {
        if (node.kind === Kind.NAMED_TYPE) mentioned.add(node.name.value);
      },
    });
  }
  return needed.difference(used);
}
