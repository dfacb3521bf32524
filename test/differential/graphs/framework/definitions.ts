import {
  type ConstDirectiveNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  isTypeDefinitionNode,
  isTypeExtensionNode,
  Kind,
  parse,
  type SelectionSetNode,
  type TypeNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import type { GraphSubgraph } from './graph.ts';

/** A field in one subgraph. */
export interface SubgraphField {
  readonly subgraph: string;
  /** The name of its type there: the interface's name with `@interfaceObject`. */
  readonly typeName: string;
  readonly node: FieldDefinitionNode;
  readonly isExternal: boolean;
  readonly isOverridden: boolean;
  readonly requires: SelectionSetNode | undefined;
  /** The arguments that `@fromContext` sets. */
  readonly fromContext: readonly FromContext[];
}

interface FromContext {
  readonly argument: string;
  /** The selection from the nearest object of each type that sets the context. */
  readonly selections: ReadonlyMap<string, SelectionSetNode>;
}

interface Key {
  readonly selection: SelectionSetNode;
  readonly isResolvable: boolean;
}

/** The definitions of the subgraphs' SDL by subgraph and type: as much of federation as the graph's monolith
 *  needs. */
export class Definitions {
  readonly fields: readonly SubgraphField[];
  /** Names of types by kind and subgraph. */
  readonly abstractTypes: ReadonlyMap<string, readonly string[]>;
  readonly #documents: ReadonlyMap<string, DocumentNode>;
  readonly #fieldsByCoordinate = new Map<string, SubgraphField[]>();
  readonly #resolvable = new Map<string, readonly SubgraphField[]>();
  readonly #keys = new Map<string, Key[]>();
  readonly #supertypes = new Map<string, Set<string>>();
  readonly #interfaceObjects = new Set<string>();
  readonly #contexts = new Map<string, Set<string>>();
  /** `subgraph field` for each field in a key or in `@provides`. */
  readonly #reachable = new Set<string>();

  constructor(subgraphs: readonly GraphSubgraph[]) {
    this.#documents = new Map(
      subgraphs.map(({ name, sdl, link }) => [
        name,
        withCanonicalNames(parse(sdl, { noLocation: true }), link ?? ''),
      ]),
    );
    const abstractTypes = new Map<string, string[]>();
    for (const [subgraph, document] of this.#documents) {
      const own: string[] = [];
      abstractTypes.set(subgraph, own);
      for (const type of document.definitions) {
        if (!('name' in type) || type.name === undefined) continue;
        const typeName = type.name.value;
        if (type.kind.startsWith('Union') || type.kind.startsWith('Interface')) own.push(typeName);
        if ('types' in type) {
          for (const member of type.types ?? []) this.#addSupertype(member.name.value, typeName);
        }
        if (isTypeDefinitionNode(type) || isTypeExtensionNode(type))
          this.#readTypeDirectives(subgraph, typeName, type.directives ?? []);
        if (!('interfaces' in type)) continue;
        for (const { name } of type.interfaces ?? []) this.#addSupertype(typeName, name.value);
        for (const field of type.fields ?? []) {
          for (const set of selectionsOf(field.directives, 'provides', 'fields')) {
            for (const name of fieldNames(set)) this.#reachable.add(`${subgraph} ${name}`);
          }
        }
      }
    }
    this.abstractTypes = abstractTypes;
    this.fields = [...this.#documents].flatMap(([subgraph, document]) =>
      this.#listFields(subgraph, document),
    );
    for (const field of this.fields) {
      const coordinate = `${field.typeName}.${field.node.name.value}`;
      const known = this.#fieldsByCoordinate.get(coordinate) ?? [];
      this.#fieldsByCoordinate.set(coordinate, known);
      known.push(field);
    }
  }

  /** The keys by which references to the type can be resolved in the subgraph. */
  keys(subgraph: string, typeName: string): readonly Key[] {
    return this.#keys.get(`${subgraph} ${typeName}`) ?? [];
  }

  /** The subgraphs in which the field of this type has a resolver. */
  resolvableFields(typeName: string, fieldName: string): readonly SubgraphField[] {
    const coordinate = `${typeName}.${fieldName}`;
    let found = this.#resolvable.get(coordinate);
    if (found === undefined) {
      found = this.#allFields(typeName, fieldName).filter(
        ({ isExternal, isOverridden }) => !isExternal && !isOverridden,
      );
      this.#resolvable.set(coordinate, found);
    }
    return found;
  }

  /** The declaration in the first subgraph that has the field. */
  declaration(typeName: string, fieldName: string): FieldDefinitionNode {
    const field = this.resolvableFields(typeName, fieldName)[0] ?? this.#allFields(typeName, fieldName)[0];
    if (field === undefined) throw new Error(`No subgraph has ${typeName}.${fieldName}`);
    return field.node;
  }

  /** Whether objects of the type are also objects of the other type. */
  isSubtype(typeName: string, other: string): boolean {
    return typeName === other || (this.#supertypes.get(typeName)?.has(other) ?? false);
  }

  /** Interfaces and unions that include the type in any subgraph. */
  supertypes(typeName: string): Iterable<string> {
    return this.#supertypes.get(typeName) ?? [];
  }

  /** Types whose objects are also objects of that type. */
  subtypes(typeName: string): string[] {
    return [...this.#supertypes].flatMap(([name, supertypes]) => (supertypes.has(typeName) ? [name] : []));
  }

  /** Whether the field is part of any key. Without it, nothing can be joined. */
  isKeyField(fieldName: string): boolean {
    return [...this.#keys.values()].some((keys) =>
      keys.some(({ selection }) => fieldNames(selection).has(fieldName)),
    );
  }

  /** Whether the field may be fetched from a subgraph in which it is external. */
  isReachable({ subgraph, node }: SubgraphField): boolean {
    return this.#reachable.has(`${subgraph} ${node.name.value}`);
  }

  #allFields(typeName: string, fieldName: string): SubgraphField[] {
    const own = this.#fieldsByCoordinate.get(`${typeName}.${fieldName}`) ?? [];
    const throughInterfaces = [...this.supertypes(typeName)].flatMap((supertype) =>
      (this.#fieldsByCoordinate.get(`${supertype}.${fieldName}`) ?? []).filter(({ subgraph }) =>
        this.#interfaceObjects.has(`${subgraph} ${supertype}`),
      ),
    );
    return [...own, ...throughInterfaces];
  }

  #addSupertype(typeName: string, supertype: string): void {
    this.#supertypes.set(typeName, (this.#supertypes.get(typeName) ?? new Set()).add(supertype));
  }

  #readTypeDirectives(subgraph: string, typeName: string, directives: readonly ConstDirectiveNode[]): void {
    for (const directive of directives) {
      const argument = (name: string): unknown => argumentOf(directive, name);
      if (directive.name.value === 'interfaceObject') this.#interfaceObjects.add(`${subgraph} ${typeName}`);
      if (directive.name.value === 'context') {
        const name = String(argument('name'));
        this.#contexts.set(name, (this.#contexts.get(name) ?? new Set()).add(typeName));
      }
      if (directive.name.value !== 'key') continue;
      const selection = parseSelection(String(argument('fields')));
      const keys = this.#keys.get(`${subgraph} ${typeName}`) ?? [];
      this.#keys.set(`${subgraph} ${typeName}`, keys);
      keys.push({ selection, isResolvable: argument('resolvable') !== false });
      for (const name of fieldNames(selection)) this.#reachable.add(`${subgraph} ${name}`);
    }
  }

  #listFields(subgraph: string, document: DocumentNode): SubgraphField[] {
    return document.definitions.flatMap((type) => {
      if (!('fields' in type) || type.kind.startsWith('Input')) return [];
      const isTypeExternal = type.directives?.some(({ name }) => name.value === 'external') ?? false;
      return ((type.fields ?? []) as readonly FieldDefinitionNode[]).map((node): SubgraphField => {
        const typeName = type.name.value;
        return {
          subgraph,
          typeName,
          node,
          isExternal:
            isTypeExternal || (node.directives?.some(({ name }) => name.value === 'external') ?? false),
          isOverridden: this.#isOverridden(subgraph, typeName, node.name.value),
          requires: selectionsOf(node.directives, 'requires', 'fields')[0],
          fromContext: this.#readFromContext(node),
        };
      });
    });
  }

  #isOverridden(subgraph: string, typeName: string, fieldName: string): boolean {
    return [...this.#documents.values()].some((document) =>
      document.definitions.some(
        (type) =>
          'fields' in type &&
          type.name.value === typeName &&
          (type.fields ?? []).some(
            (field) =>
              field.name.value === fieldName &&
              field.directives?.some(
                (directive) =>
                  directive.name.value === 'override' && argumentOf(directive, 'from') === subgraph,
              ),
          ),
      ),
    );
  }

  #readFromContext(node: FieldDefinitionNode): FromContext[] {
    return (node.arguments ?? []).flatMap((argument) => {
      const directive = argument.directives?.find(({ name }) => name.value === 'fromContext');
      if (directive === undefined) return [];
      const [, context = '', text = ''] =
        /^\s*\$(\w+)\s*(.*)$/s.exec(String(argumentOf(directive, 'field'))) ?? [];
      const set = parseSelection(text.startsWith('{') ? text.slice(1, text.lastIndexOf('}')) : text);
      const types = [...(this.#contexts.get(context) ?? [])].flatMap((type) => [
        type,
        ...this.subtypes(type),
      ]);
      const selections = new Map(types.map((type) => [type, this.#selectionFor(set, type)]));
      return [{ argument: argument.name.value, selections }];
    });
  }

  /** `$context ... on A { x } ... on B { y }` selects different fields from each type. */
  #selectionFor(set: SelectionSetNode, typeName: string): SelectionSetNode {
    const selections = set.selections.flatMap((node) =>
      node.kind !== Kind.INLINE_FRAGMENT
        ? [node]
        : node.typeCondition === undefined || this.isSubtype(typeName, node.typeCondition.name.value)
          ? node.selectionSet.selections
          : [],
    );
    return { ...set, selections };
  }
}

/** Restores the original names of directives that the link imports under other names. */
function withCanonicalNames(document: DocumentNode, link: string): DocumentNode {
  const names = new Map(
    [...link.matchAll(/name: "@(\w+)", as: "@(\w+)"/g)].map(([, name, alias]) => [alias, name]),
  );
  return visit(document, {
    [Kind.DIRECTIVE]: (node: DirectiveNode) => {
      const value = names.get(node.name.value);
      return value === undefined ? undefined : { ...node, name: { ...node.name, value } };
    },
  });
}

export function namedTypeOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedTypeOf(type.type);
}

function argumentOf(directive: ConstDirectiveNode, name: string): unknown {
  const value = directive.arguments?.find((argument) => argument.name.value === name)?.value;
  return value && valueFromASTUntyped(value);
}

function selectionsOf(
  directives: readonly ConstDirectiveNode[] | undefined,
  directiveName: string,
  argument: string,
): SelectionSetNode[] {
  return (directives ?? [])
    .filter(({ name }) => name.value === directiveName)
    .map((directive) => parseSelection(String(argumentOf(directive, argument))));
}

function parseSelection(text: string): SelectionSetNode {
  const definition = parse(`{ ${text} }`, { noLocation: true }).definitions[0];
  if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`No selection: ${text}`);
  return definition.selectionSet;
}

function fieldNames(set: SelectionSetNode): Set<string> {
  const names = new Set<string>();
  for (const node of set.selections) {
    if (node.kind === Kind.FIELD) names.add(node.name.value);
    if (node.kind === Kind.FRAGMENT_SPREAD || node.selectionSet === undefined) continue;
    for (const name of fieldNames(node.selectionSet)) names.add(name);
  }
  return names;
}
