import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  isComposite,
  namedTypeOf,
  parseFieldSet,
  rootTypesOf,
  subgraphNamesOf,
  withArgument,
} from './supergraphDocument.ts';

/** A field with a `@requires` of its own that another `@requires` needs. */
interface ComputedInput {
  /** Value of `join__Graph`. */
  readonly graph: string;
  readonly typeName: string;
  readonly fieldName: string;
  /** The graph that has the field in the changed supergraph. */
  readonly ownGraph: string;
}

export interface SeparatedSupergraph {
  readonly document: DocumentNode;
  /** The subgraph that each added one stands for, by name. */
  readonly realNames: ReadonlyMap<string, string>;
}

/** A supergraph in which every computed input comes from a subgraph of its own, a copy of the real one.
 *
 *  The planner takes such a field along when it is in its subgraph anyway, without the inputs that the field itself
 *  needs: silently wrong. It does go to another subgraph with the right inputs; so there is another one. Plans get
 *  larger by this, and there is more to choose from: it is for operations that come out wrong otherwise.
 *  `undefined` where the supergraph has no computed inputs. */
export function separateComputedInputs(document: DocumentNode): SeparatedSupergraph | undefined {
  const inputs = findComputedInputs(document);
  if (inputs.length === 0) return undefined;
  const names = subgraphNamesOf(document);
  const separation = new Separation(inputs, new Set(rootTypesOf(document).values()));
  return {
    document: {
      ...document,
      definitions: document.definitions.map((definition) => separation.definition(definition)),
    },
    realNames: new Map(inputs.map(({ graph, ownGraph }) => [ownGraph, names.get(graph) ?? graph])),
  };
}

function findComputedInputs(document: DocumentNode): ComputedInput[] {
  const types = compositesOf(document);
  const required = new Set<string>();
  for (const [typeName, type] of types) {
    for (const { fieldSet } of requiresOf(type)) {
      const set = parseFieldSet(fieldSet);
      if (set !== undefined) mention(set, typeName, types, required);
    }
  }
  const found: Omit<ComputedInput, 'ownGraph'>[] = [];
  for (const [typeName, type] of types) {
    for (const { fieldName, graph } of requiresOf(type)) {
      if (required.has(`${typeName}.${fieldName}`)) found.push({ graph, typeName, fieldName });
    }
  }
  const mark = unusedMark(document);
  return found.map((input, index) => ({ ...input, ownGraph: `${input.graph}${mark}${index}` }));
}

function requiresOf(type: CompositeDefinition): { fieldName: string; graph: string; fieldSet: string }[] {
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

/** Notes the fields that a field set needs, on an interface's implementers as well. */
function mention(
  set: SelectionSetNode,
  typeName: string,
  types: ReadonlyMap<string, CompositeDefinition>,
  required: Set<string>,
): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      mention(selection.selectionSet, selection.typeCondition?.name.value ?? typeName, types, required);
    }
    if (selection.kind !== Kind.FIELD) continue;
    const fieldName = selection.name.value;
    required.add(`${typeName}.${fieldName}`);
    for (const [name, type] of types) {
      if (type.interfaces?.some((implemented) => implemented.name.value === typeName)) {
        required.add(`${name}.${fieldName}`);
      }
    }
    const field = types.get(typeName)?.fields?.find(({ name }) => name.value === fieldName);
    if (field !== undefined && selection.selectionSet !== undefined) {
      mention(selection.selectionSet, namedTypeOf(field), types, required);
    }
  }
}

/** No graph has a name with this in it. It is valid within operation names. */
function unusedMark(document: DocumentNode): string {
  let mark = '__again';
  const names = [...subgraphNamesOf(document)].flat();
  while (names.some((name) => name.includes(mark))) mark += '_';
  return mark;
}

class Separation {
  readonly #inputs: readonly ComputedInput[];
  readonly #rootTypes: ReadonlySet<string>;

  constructor(inputs: readonly ComputedInput[], rootTypes: ReadonlySet<string>) {
    this.#inputs = inputs;
    this.#rootTypes = rootTypes;
  }

  definition(definition: DefinitionNode): DefinitionNode {
    if (definition.kind === Kind.ENUM_TYPE_DEFINITION && definition.name.value === 'join__Graph') {
      return { ...definition, values: (definition.values ?? []).flatMap((value) => this.#graphs(value)) };
    }
    if (!('directives' in definition) || definition.kind === Kind.SCHEMA_DEFINITION) return definition;
    if ('name' in definition && this.#rootTypes.has(definition.name?.value ?? '')) return definition;
    const copied = {
      ...definition,
      directives: this.#copies((definition.directives ?? []) as readonly ConstDirectiveNode[]),
    } as DefinitionNode;
    if (isComposite(copied)) {
      const typeName = copied.name.value;
      return { ...copied, fields: (copied.fields ?? []).map((field) => this.#field(typeName, field)) };
    }
    if (copied.kind === Kind.ENUM_TYPE_DEFINITION) {
      return {
        ...copied,
        values: (copied.values ?? []).map((value) => ({
          ...value,
          directives: this.#copies(value.directives ?? []),
        })),
      };
    }
    if (copied.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) {
      return {
        ...copied,
        fields: (copied.fields ?? []).map((field) => ({
          ...field,
          directives: this.#copies(field.directives ?? []),
        })),
      };
    }
    return copied;
  }

  /** A value of `join__Graph` with those of its copies. */
  #graphs(value: EnumValueDefinitionNode): EnumValueDefinitionNode[] {
    const copies = this.#of(value.name.value).map(
      ({ ownGraph }): EnumValueDefinitionNode => ({
        ...value,
        name: { kind: Kind.NAME, value: ownGraph },
        directives: (value.directives ?? []).map((directive) =>
          withArgument(directive, 'name', { kind: Kind.STRING, value: ownGraph }),
        ),
      }),
    );
    return [value, ...copies];
  }

  #of(graph: string | undefined): readonly ComputedInput[] {
    return this.#inputs.filter((input) => input.graph === graph);
  }

  #copies(directives: readonly ConstDirectiveNode[]): ConstDirectiveNode[] {
    return directives.flatMap((directive) => [
      directive,
      ...(isJoin(directive) ? this.#of(argumentOf(directive, 'graph')) : []).map(({ ownGraph }) =>
        withArgument(directive, 'graph', { kind: Kind.ENUM, value: ownGraph }),
      ),
    ]);
  }

  /** A computed input leaves its subgraph for its own; other fields with a `@requires` stay where they are. */
  #field(typeName: string, field: FieldDefinitionNode): FieldDefinitionNode {
    const directives = (field.directives ?? []).flatMap((directive): ConstDirectiveNode[] => {
      if (directive.name.value !== 'join__field') return [directive];
      const isContextual = argumentOf(directive, 'contextArguments') !== undefined;
      if (argumentOf(directive, 'requires') === undefined) {
        return isContextual ? [directive] : this.#copies([directive]);
      }
      const own = this.#of(argumentOf(directive, 'graph')).find(
        (input) => input.typeName === typeName && input.fieldName === field.name.value,
      );
      return own === undefined || isContextual
        ? [directive]
        : [withArgument(directive, 'graph', { kind: Kind.ENUM, value: own.ownGraph })];
    });
    return { ...field, directives };
  }
}

function isJoin(directive: ConstDirectiveNode): boolean {
  return directive.name.value.startsWith('join__');
}
