import {
  type DocumentNode,
  execute,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isObjectType,
  Kind,
  parse,
  type SelectionSetNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import type { Trial } from '../../../harness/trial.ts';
import { type Answer, isJsonObject, readJson } from '../../answer.ts';
import { removeNonNull } from '../../removeNonNull.ts';
import type { Monolith } from '../../trials.ts';
import type { SubgraphField } from './definitions.ts';
import type { GraphObject } from './graph.ts';
import { type GraphModel, missing, stableJson, type TrialContext } from './graphModel.ts';
import { faultsHeader } from './headers.ts';

/** An object with the objects on its path, which `@fromContext` reads. */
class ObjectNode {
  readonly object: GraphObject;
  readonly typeName: string;
  readonly parent: ObjectNode | undefined;

  constructor(thing: GraphObject, typeName: string, above: ObjectNode | undefined) {
    this.object = thing;
    this.typeName = typeName;
    this.parent = above;
  }
}

interface OperationContext extends TrialContext {
  readonly prefetchedInputs: ReadonlyMap<string, readonly SelectionSetNode[]>;
}

/** The graph as one schema, with the same data and resolvers as its subgraphs. */
export class GraphMonolith implements Monolith {
  readonly schema: GraphQLSchema;
  readonly #model: GraphModel;
  readonly #nullable: GraphQLSchema;

  /** `createSchema` returns the graph's API schema, a new one at each call. */
  constructor(model: GraphModel, createSchema: () => GraphQLSchema) {
    this.#model = model;
    this.schema = this.#withResolvers(createSchema());
    this.#nullable = removeNonNull(this.#withResolvers(createSchema()));
  }

  execute(trial: Trial): Promise<Answer> {
    return this.#execute(this.schema, trial);
  }

  executeWithoutNullPropagation(trial: Trial): Promise<Answer> {
    return this.#execute(this.#nullable, trial);
  }

  /** Resolves to the data that does not depend on entities of that subgraph. Nulls do not propagate. */
  async executeWithoutSubgraph(trial: Trial, subgraph: string): Promise<Answer['data']> {
    return (await this.#execute(this.#nullable, trial, subgraph)).data;
  }

  async #execute(
    schema: GraphQLSchema,
    { source, variables, headers }: Trial,
    lostSubgraph?: string,
  ): Promise<Answer> {
    const document = parse(source);
    const prefetchedInputs = this.#prefetchedInputs(document);
    const context = { ...this.#model.createContext(headers?.[faultsHeader]), lostSubgraph, prefetchedInputs };
    const result = await execute({
      schema,
      document,
      variableValues: variables,
      contextValue: context,
    });
    const { data, errors = [] } = readJson(JSON.stringify(result)) as Partial<Answer>;
    return { data, errors, toleratedMessages: context.toleratedMessages };
  }

  /** The fields that a gateway fetches before it knows whether anything needs them, by type: those that the
   *  operation's fields read from contexts, and those that they require in subgraphs that know only the interface. */
  #prefetchedInputs(document: DocumentNode): Map<string, readonly SelectionSetNode[]> {
    const names = new Set<string>();
    visit(document, { [Kind.FIELD]: ({ name }: FieldNode) => void names.add(name.value) });
    const inputs = new Map<string, readonly SelectionSetNode[]>();
    const add = (typeName: string, set: SelectionSetNode): void =>
      void inputs.set(typeName, [...(inputs.get(typeName) ?? []), set]);
    const { definitions } = this.#model;
    for (const { node, typeName, fromContext, requires } of definitions.fields) {
      if (!names.has(node.name.value)) continue;
      for (const { selections } of fromContext) for (const [type, set] of selections) add(type, set);
      if (requires !== undefined) for (const type of definitions.subtypes(typeName)) add(type, requires);
    }
    return inputs;
  }

  #withResolvers(schema: GraphQLSchema): GraphQLSchema {
    for (const type of Object.values(schema.getTypeMap())) {
      if (type.name.startsWith('__')) continue;
      if (isAbstractType(type)) type.resolveType = ({ object }: ObjectNode) => object.__typename;
      if (!isObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        const named = getNamedType(field.type);
        const isComposite = isCompositeType(named);
        field.resolve = (parent: ObjectNode | undefined, args, context: OperationContext) => {
          const node = parent ?? new ObjectNode({}, type.name, undefined);
          for (const inputs of context.prefetchedInputs.get(type.name) ?? []) {
            this.#model.selectAnswers(node.object, type.name, inputs, context);
          }
          const value = this.#answer(node, type.name, field.name, args, context);
          if (isComposite) return mapItems(value, (thing) => wrap(schema, thing, named.name, node));
          if (!isEnumType(named)) return value;
          return mapItems(value, (name) => (named.getValue(name as string) === undefined ? null : name));
        };
      }
    }
    return schema;
  }

  #answer(
    node: ObjectNode,
    typeName: string,
    fieldName: string,
    args: Readonly<Record<string, unknown>>,
    context: TrialContext,
  ): unknown {
    const { lostSubgraph } = context;
    if (lostSubgraph !== undefined && this.#model.mayNeed(lostSubgraph, typeName, fieldName)) return null;
    const field = this.#model.fieldFor(typeName, node.object, fieldName);
    if (field === undefined) {
      // Required fields are fetched before it is known that no subgraph needs them.
      for (const other of this.#model.definitions.resolvableFields(typeName, fieldName)) {
        this.#model.require(node.object, typeName, other, context);
      }
      return null;
    }
    const required = this.#model.require(node.object, typeName, field, context);
    if (required === null) return null;
    const fromContext = this.#readContext(node, field, context);
    // As an object without an input: the subgraph is not called.
    if (Object.values(fromContext).some((value) => stableJson(value)?.includes(missing))) return null;
    return this.#model.resolve(
      typeName,
      node.object,
      fieldName,
      { ...hiddenArguments(field, args), ...args, ...fromContext },
      context,
      required,
    );
  }

  #readContext(
    node: ObjectNode,
    { fromContext }: SubgraphField,
    context: TrialContext,
  ): Record<string, unknown> {
    return Object.fromEntries(
      fromContext.map(({ argument, selections }) => {
        for (let above: ObjectNode | undefined = node; above !== undefined; above = above.parent) {
          const selection = selections.get(above.object.__typename ?? above.typeName);
          if (selection === undefined) continue;
          const selected = this.#model.selectAnswers(above.object, above.typeName, selection, context);
          return [argument, selectedValue(selected)];
        }
        throw new GraphQLError(`No object on the path sets the context for ${argument}.`);
      }),
    );
  }
}

/** The value of the one field that a selection has at each level, in the lists of its objects. */
function selectedValue(selected: unknown): unknown {
  if (Array.isArray(selected)) return selected.map(selectedValue);
  return isJsonObject(selected) ? selectedValue(Object.values(selected)[0]) : selected;
}

/** Defaults of arguments that are hidden from clients: subgraphs receive them, and clients cannot set them. */
function hiddenArguments(
  { node }: SubgraphField,
  args: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    (node.arguments ?? []).flatMap(({ name, defaultValue }) =>
      defaultValue === undefined || Object.hasOwn(args, name.value)
        ? []
        : [[name.value, valueFromASTUntyped(defaultValue)]],
    ),
  );
}

/** Returns null for objects that are hidden from clients, as if they did not exist. */
function wrap(schema: GraphQLSchema, value: unknown, declared: string, above: ObjectNode): ObjectNode | null {
  const thing = value as GraphObject;
  const typeName = thing.__typename ?? declared;
  return schema.getType(typeName) === undefined ? null : new ObjectNode(thing, typeName, above);
}

function mapItems(value: unknown, map: (item: unknown) => unknown): unknown {
  if (value === null || value === undefined) return null;
  return Array.isArray(value) ? value.map((item) => mapItems(item, map)) : map(value);
}
