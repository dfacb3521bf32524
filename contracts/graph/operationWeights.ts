import {
  type ArgumentNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type GraphQLNamedType,
  type InputValueDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type TypeDefinitionNode,
  type TypeNode,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import type { Selection, SelectionSet } from '../../gateway/operation/selection.ts';

const costSpec = 'https://specs.apollo.dev/cost/';

interface ListSize {
  readonly assumedSize: number | undefined;
  readonly slicingArguments: readonly string[];
  readonly sizedFields: readonly string[];
}

interface DirectiveNames {
  readonly cost: string;
  readonly listSize: string;
}

/** Computes the weights of operations by the `@cost` and `@listSize` of a supergraph: an object weighs 1 and a leaf 0
 *  unless `@cost` says otherwise, a list as much as its elements. A list of unknown size counts as one element. A
 *  size from a variable is the variable's default, or else the assumed size. */
export class OperationWeights {
  readonly #types = new Map<string, TypeDefinitionNode>();
  readonly #fields = new Map<string, FieldDefinitionNode>();
  readonly #names: DirectiveNames | undefined;

  constructor(supergraph: DocumentNode) {
    this.#names = directiveNames(supergraph);
    if (this.#names === undefined) return;
    for (const definition of supergraph.definitions) {
      if (!('fields' in definition || 'name' in definition) || !definition.kind.endsWith('TypeDefinition'))
        continue;
      const type = definition as TypeDefinitionNode;
      this.#types.set(type.name.value, type);
      if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
      for (const field of type.fields ?? [])
        this.#fields.set(`${type.name.value}.${field.name.value}`, field);
    }
  }

  /** `undefined` when the supergraph does not link to the directives. */
  weigh(operation: OperationDefinitionNode, root: GraphQLNamedType, set: SelectionSet): number | undefined {
    if (this.#names === undefined) return undefined;
    const defaults = new Map(
      (operation.variableDefinitions ?? []).map((definition) => [
        definition.variable.name.value,
        definition.defaultValue,
      ]),
    );
    return this.#weighSet(set.selections, root.name, new Map(), { names: this.#names, defaults });
  }

  #weighSet(
    selections: readonly Selection[],
    parent: string,
    sizes: ReadonlyMap<string, number>,
    context: WeighingContext,
  ): number {
    let weight = 0;
    for (const selection of selections) {
      if (selection.kind === 'Field') {
        weight += this.#weighField(selection, parent, sizes, context);
      } else {
        const type = selection.typeCondition?.name ?? parent;
        const inner = selection.kind === 'Fragment' ? selection.selectionSet : selection.own;
        weight += this.#weighSet(inner.selections, type, sizes, context);
      }
    }
    return weight;
  }

  #weighField(
    field: Extract<Selection, { kind: 'Field' }>,
    parent: string,
    sizes: ReadonlyMap<string, number>,
    context: WeighingContext,
  ): number {
    const definition = this.#fields.get(`${parent}.${field.fieldName}`);
    if (definition === undefined) return 0;
    const { names, defaults } = context;
    const typeName = namedTypeOf(definition.type);
    const own =
      field.isAlreadySent === true
        ? 0
        : (costIn(definition.directives, names) ??
          this.#weightOfType(typeName, field.selectionSet !== undefined, names));
    const listSize = listSizeIn(definition.directives, names);
    const given =
      listSize && (slicingSizeOf(listSize, field.arguments, definition, defaults) ?? listSize.assumedSize);
    const isSizedWithin = listSize !== undefined && listSize.sizedFields.length > 0;
    const size = isList(definition.type)
      ? ((isSizedWithin ? undefined : given) ?? sizes.get(field.fieldName) ?? 1)
      : 1;
    const below =
      isSizedWithin && given !== undefined
        ? new Map(listSize.sizedFields.map((name) => [name, given] as const))
        : new Map<string, number>();
    const inner =
      field.selectionSet === undefined
        ? 0
        : this.#weighSet(field.selectionSet.selections, typeName, below, context);
    return size * (own + inner) + this.#weighArguments(field.arguments, definition.arguments ?? [], names);
  }

  #weightOfType(name: string, isComposite: boolean, names: DirectiveNames): number {
    return costIn(this.#types.get(name)?.directives, names) ?? (isComposite ? 1 : 0);
  }

  #weighArguments(
    given: readonly ArgumentNode[],
    definitions: readonly InputValueDefinitionNode[],
    names: DirectiveNames,
  ): number {
    let weight = 0;
    for (const { name, value } of given) {
      const definition = definitions.find((candidate) => candidate.name.value === name.value);
      if (definition !== undefined) weight += this.#weighInput(definition, value, names);
    }
    return weight;
  }

  #weighInput(definition: InputValueDefinitionNode, value: ValueNode, names: DirectiveNames): number {
    const type = this.#types.get(namedTypeOf(definition.type));
    let weight = costIn(definition.directives, names) ?? costIn(type?.directives, names) ?? 0;
    if (type?.kind !== Kind.INPUT_OBJECT_TYPE_DEFINITION) return weight;
    for (const object of value.kind === Kind.LIST ? value.values : [value]) {
      if (object.kind !== Kind.OBJECT) continue;
      for (const { name, value: inner } of object.fields) {
        const field = type.fields?.find((candidate) => candidate.name.value === name.value);
        if (field !== undefined) weight += this.#weighInput(field, inner, names);
      }
    }
    return weight;
  }
}

interface WeighingContext {
  readonly names: DirectiveNames;
  readonly defaults: ReadonlyMap<string, ValueNode | undefined>;
}

/** The names of the directives in the supergraph; `undefined` when it does not link to them. */
function directiveNames(supergraph: DocumentNode): DirectiveNames | undefined {
  for (const definition of supergraph.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const directive of definition.directives ?? []) {
      if (directive.name.value !== 'link') continue;
      const { url, as, import: imports } = valuesOf(directive);
      if (typeof url !== 'string' || !url.startsWith(costSpec)) continue;
      const prefix = typeof as === 'string' ? as : 'cost';
      return {
        cost: importedNameOf('@cost', imports) ?? prefix,
        listSize: importedNameOf('@listSize', imports) ?? `${prefix}__listSize`,
      };
    }
  }
  return undefined;
}

function importedNameOf(name: string, imports: unknown): string | undefined {
  if (!Array.isArray(imports)) return undefined;
  for (const entry of imports as readonly unknown[]) {
    if (entry === name) return name.slice(1);
    if (typeof entry !== 'object' || entry === null || !('name' in entry) || entry.name !== name) continue;
    return 'as' in entry && typeof entry.as === 'string' ? entry.as.slice(1) : name.slice(1);
  }
  return undefined;
}

function costIn(
  directives: readonly DirectiveNode[] | undefined,
  { cost }: DirectiveNames,
): number | undefined {
  const directive = directives?.find(({ name }) => name.value === cost);
  const weight = directive && valuesOf(directive).weight;
  return typeof weight === 'number' ? weight : undefined;
}

function listSizeIn(
  directives: readonly DirectiveNode[] | undefined,
  { listSize }: DirectiveNames,
): ListSize | undefined {
  const directive = directives?.find(({ name }) => name.value === listSize);
  if (directive === undefined) return undefined;
  const { assumedSize, slicingArguments, sizedFields } = valuesOf(directive);
  return {
    assumedSize: typeof assumedSize === 'number' ? assumedSize : undefined,
    slicingArguments: stringsOf(slicingArguments),
    sizedFields: stringsOf(sizedFields),
  };
}

/** The largest size that the slicing arguments request. */
function slicingSizeOf(
  { slicingArguments }: ListSize,
  given: readonly ArgumentNode[],
  definition: FieldDefinitionNode,
  defaults: ReadonlyMap<string, ValueNode | undefined>,
): number | undefined {
  const sizes = slicingArguments.flatMap((name) => {
    const isIt = (candidate: { readonly name: { readonly value: string } }) => candidate.name.value === name;
    const value = given.find(isIt)?.value ?? definition.arguments?.find(isIt)?.defaultValue;
    const known = value?.kind === Kind.VARIABLE ? defaults.get(value.name.value) : value;
    return known?.kind === Kind.INT ? [Number(known.value)] : [];
  });
  return sizes.length === 0 ? undefined : Math.max(...sizes);
}

function valuesOf(directive: DirectiveNode): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    (directive.arguments ?? []).map(({ name, value }) => [name.value, valueFromASTUntyped(value)]),
  );
}

function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

function namedTypeOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedTypeOf(type.type);
}

function isList(type: TypeNode): boolean {
  return (
    type.kind === Kind.LIST_TYPE || (type.kind === Kind.NON_NULL_TYPE && type.type.kind === Kind.LIST_TYPE)
  );
}
