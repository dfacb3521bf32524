import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  type SelectionSetNode,
  type UnionTypeDefinitionNode,
} from 'graphql';
import {
  addCopyDirectives,
  addLeafCopies,
  type GraphCopy,
  isLeafDefinition,
  withCopiedDirectives,
  withGraph,
} from './graphCopies.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  implementsInterface,
  isComposite,
  joinDirective,
  namedTypeOf,
  parseFieldSet,
  rootTypesOf,
  subgraphNamesOf,
  unusedGraphSuffix,
} from './supergraphDocument.ts';

/** A field that has a `@requires` and is itself an input of another `@requires`. */
interface ComputedInput extends GraphCopy {
  readonly typeName: string;
  readonly fieldName: string;
}

interface SeparatedSupergraph {
  readonly document: DocumentNode;
  /** Name of the original subgraph by the name of its copy. */
  readonly originalNames: ReadonlyMap<string, string>;
}

/** A supergraph in which a separate copy of its subgraph resolves each computed input; `undefined` when there are no
 *  computed inputs.
 *
 *  When another fetch goes to the subgraph of a computed input, the planner adds the input to that fetch without the
 *  inputs that the input itself requires, which silently gives wrong data. It does fetch the required inputs first when
 *  the computed input is in another subgraph. Separation makes plans larger and planning slower, so that it is used only
 *  for operations whose plan is wrong without it. */
export function separateComputedInputs(document: DocumentNode): SeparatedSupergraph | undefined {
  const inputs = findComputedInputs(document);
  if (inputs.length === 0) return undefined;
  const names = subgraphNamesOf(document);
  const separator = new ComputedInputSeparator(
    inputs.map((input) => new ReducedSubgraph(input, document)),
    new Set(rootTypesOf(document).values()),
  );
  return {
    document: {
      ...document,
      definitions: document.definitions.map((definition) => separator.mapDefinition(definition)),
    },
    originalNames: new Map(inputs.map(({ graph, copyGraph }) => [copyGraph, names.get(graph) ?? graph])),
  };
}

function findComputedInputs(document: DocumentNode): ComputedInput[] {
  const types = compositesOf(document);
  const required = new Set<string>();
  const implementations = implementationsOf(types);
  for (const [typeName, type] of types) {
    for (const { fieldSet } of requiresDirectivesOf(type)) {
      const set = parseFieldSet(fieldSet);
      if (set !== undefined) collectRequiredFields(set, typeName, { types, implementations, required });
    }
  }
  const found: Omit<ComputedInput, 'copyGraph'>[] = [];
  for (const [typeName, type] of types) {
    for (const { fieldName, graph } of requiresDirectivesOf(type)) {
      if (required.has(`${typeName}.${fieldName}`)) found.push({ graph, typeName, fieldName });
    }
  }
  const suffix = unusedGraphSuffix(document, '__again');
  return found.map((input, index) => ({ ...input, copyGraph: `${input.graph}${suffix}${index}` }));
}

function requiresDirectivesOf(
  type: CompositeDefinition,
): { fieldName: string; graph: string; fieldSet: string }[] {
  return (type.fields ?? []).flatMap((field) =>
    (field.directives ?? []).flatMap((directive) => {
      const fieldSet = directive.name.value === 'join__field' ? argumentOf(directive, 'requires') : undefined;
      const graph = argumentOf(directive, 'graph');
      return fieldSet === undefined || graph === undefined
        ? []
        : [{ fieldName: field.name.value, graph, fieldSet }];
    }),
  );
}

/** Names of the types that implement each interface. */
function implementationsOf(
  types: ReadonlyMap<string, CompositeDefinition>,
): ReadonlyMap<string, readonly string[]> {
  const implementations = new Map<string, string[]>();
  for (const [name, { interfaces = [] }] of types) {
    for (const implemented of interfaces) {
      const names = implementations.get(implemented.name.value);
      if (names === undefined) implementations.set(implemented.name.value, [name]);
      else names.push(name);
    }
  }
  return implementations;
}

interface FieldCollection {
  readonly types: ReadonlyMap<string, CompositeDefinition>;
  readonly implementations: ReadonlyMap<string, readonly string[]>;
  /** Gets the fields as `Type.field`. */
  readonly required: Set<string>;
}

/** Adds the fields of a field set to `required`, for an interface also those of its implementations. */
function collectRequiredFields(set: SelectionSetNode, typeName: string, collection: FieldCollection): void {
  const { types, implementations, required } = collection;
  for (const selection of set.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      collectRequiredFields(
        selection.selectionSet,
        selection.typeCondition?.name.value ?? typeName,
        collection,
      );
    }
    if (selection.kind !== Kind.FIELD) continue;
    const fieldName = selection.name.value;
    required.add(`${typeName}.${fieldName}`);
    for (const name of implementations.get(typeName) ?? []) required.add(`${name}.${fieldName}`);
    const field = types.get(typeName)?.fields?.find(({ name }) => name.value === fieldName);
    if (field !== undefined && selection.selectionSet !== undefined) {
      collectRequiredFields(selection.selectionSet, namedTypeOf(field), collection);
    }
  }
}

/** The part of a subgraph that its copy has: the computed field, its keys and inputs, and all types below it. Other
 *  fields of its type are omitted, because they may lead to objects of that type again, where the planner would add the
 *  computed field without its inputs as before. */
class ReducedSubgraph {
  readonly input: ComputedInput;
  readonly #types: ReadonlyMap<string, CompositeDefinition>;
  readonly #unions: ReadonlyMap<string, UnionTypeDefinitionNode>;
  /** Field names by type; empty for a union. */
  readonly #fields = new Map<string, Set<string>>();

  constructor(input: ComputedInput, document: DocumentNode) {
    this.input = input;
    const types = compositesOf(document);
    this.#types = types;
    this.#unions = new Map(
      document.definitions.flatMap((definition) =>
        definition.kind === Kind.UNION_TYPE_DEFINITION ? [[definition.name.value, definition]] : [],
      ),
    );
    const { typeName, fieldName, graph } = input;
    const type = types.get(typeName) as CompositeDefinition;
    const field = type.fields?.find(({ name }) => name.value === fieldName) as FieldDefinitionNode;
    this.#fields.set(typeName, new Set([fieldName]));
    for (const directive of [...(type.directives ?? []), ...(field.directives ?? [])]) {
      if (argumentOf(directive, 'graph') !== graph) continue;
      for (const name of ['key', 'requires']) {
        const set = parseFieldSet(argumentOf(directive, name));
        if (set !== undefined) this.#addSelectionSet(set, typeName);
      }
    }
    this.#addType(namedTypeOf(field));
  }

  hasType(typeName: string): boolean {
    return this.#fields.has(typeName);
  }

  hasField(typeName: string, fieldName: string): boolean {
    return this.#fields.get(typeName)?.has(fieldName) ?? false;
  }

  #addSelectionSet(set: SelectionSetNode, typeName: string): void {
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        this.#addSelectionSet(selection.selectionSet, selection.typeCondition?.name.value ?? typeName);
      }
      if (selection.kind !== Kind.FIELD) continue;
      const field = this.#types
        .get(typeName)
        ?.fields?.find(({ name }) => name.value === selection.name.value);
      if (field === undefined) continue;
      this.#fieldsOf(typeName).add(field.name.value);
      this.#addType(namedTypeOf(field));
      // A field of the computed field's own type is added only where a field set selects it.
      if (selection.selectionSet !== undefined)
        this.#addSelectionSet(selection.selectionSet, namedTypeOf(field));
    }
  }

  /** Adds a type with all its fields in the subgraph, and recursively their types. */
  #addType(typeName: string): void {
    if (this.#fields.has(typeName)) return;
    const members = this.#unions.get(typeName)?.types;
    if (members !== undefined) {
      this.#fieldsOf(typeName);
      for (const member of members) this.#addType(member.name.value);
    }
    const type = this.#types.get(typeName);
    if (type === undefined) return;
    const fields = this.#fieldsOf(typeName);
    for (const field of type.fields ?? []) {
      if (!isInGraph(field, this.input.graph)) continue;
      fields.add(field.name.value);
      this.#addType(namedTypeOf(field));
    }
    for (const [name, other] of this.#types) {
      if (implementsInterface(other, typeName) || implementsInterface(type, name)) this.#addType(name);
    }
  }

  #fieldsOf(typeName: string): Set<string> {
    const fields = this.#fields.get(typeName) ?? new Set();
    this.#fields.set(typeName, fields);
    return fields;
  }
}

/** Whether a subgraph resolves the field without `@requires` and `@fromContext`. */
function isInGraph({ directives = [] }: FieldDefinitionNode, graph: string): boolean {
  const joins = directives.filter(({ name }) => name.value === 'join__field');
  return joins.length === 0 || joins.some((join) => argumentOf(join, 'graph') === graph && !isComputed(join));
}

function isComputed(join: ConstDirectiveNode): boolean {
  return argumentOf(join, 'requires') !== undefined || argumentOf(join, 'contextArguments') !== undefined;
}

class ComputedInputSeparator {
  readonly #copies: readonly ReducedSubgraph[];
  readonly #rootTypes: ReadonlySet<string>;

  constructor(copies: readonly ReducedSubgraph[], rootTypes: ReadonlySet<string>) {
    this.#copies = copies;
    this.#rootTypes = rootTypes;
  }

  mapDefinition(definition: DefinitionNode): DefinitionNode {
    if (isLeafDefinition(definition)) return addLeafCopies(definition, inputsOf(this.#copies));
    if (!isComposite(definition) && definition.kind !== Kind.UNION_TYPE_DEFINITION) return definition;
    const name = definition.name.value;
    if (this.#rootTypes.has(name)) return definition;
    const copied = addCopyDirectives(definition, inputsOf(this.#copies.filter((copy) => copy.hasType(name))));
    if (!isComposite(definition)) return copied;
    const fields = definition.fields?.map((field) => this.#mapField(definition, field)) ?? [];
    return { ...copied, fields } as CompositeDefinition;
  }

  #mapField(type: CompositeDefinition, field: FieldDefinitionNode): FieldDefinitionNode {
    const typeName = type.name.value;
    const fieldName = field.name.value;
    const owners = this.#copies.filter((copy) => copy.hasField(typeName, fieldName));
    const joins = (field.directives ?? []).filter(({ name }) => name.value === 'join__field');
    if (joins.length === 0) {
      const isEverywhere = this.#copies.every((copy) => owners.includes(copy) || !copy.hasType(typeName));
      // A field without `@join__field` is in all subgraphs of its type, to which the copies were added.
      return isEverywhere
        ? field
        : { ...field, directives: [...(field.directives ?? []), ...createExplicitJoins(type, owners)] };
    }
    const directives = (field.directives ?? []).flatMap((directive): ConstDirectiveNode[] => {
      if (directive.name.value !== 'join__field') return [directive];
      const separated = owners.find(
        ({ input }) =>
          input.graph === argumentOf(directive, 'graph') &&
          input.typeName === typeName &&
          input.fieldName === fieldName,
      );
      // A computed input moves from its subgraph to the copy.
      if (separated !== undefined && isComputed(directive))
        return [withGraph(directive, separated.input.copyGraph)];
      return isComputed(directive) ? [directive] : withCopiedDirectives([directive], inputsOf(owners));
    });
    return { ...field, directives };
  }
}

function inputsOf(copies: readonly ReducedSubgraph[]): ComputedInput[] {
  return copies.map(({ input }) => input);
}

/** Explicit `@join__field` directives for a field without any: one for each subgraph of its type and each copy. */
function createExplicitJoins(
  type: CompositeDefinition,
  copies: readonly ReducedSubgraph[],
): ConstDirectiveNode[] {
  const graphs = (type.directives ?? [])
    .filter(({ name }) => name.value === 'join__type')
    .map((directive) => argumentOf(directive, 'graph') as string);
  return [...new Set([...graphs, ...copies.map(({ input }) => input.copyGraph)])].map((graph) =>
    joinDirective('join__field', { graph }),
  );
}
