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
import { type Answer, readJson } from '../../answer.ts';
import type { Trial } from '../../askGateway.ts';
import type { Monolith } from '../../trials.ts';
import { withoutNonNull } from '../../withoutNonNull.ts';
import type { FieldPlace } from './definitions.ts';
import type { Thing } from './graph.ts';
import { faultsHeader } from './headers.ts';
import type { TrialScope, World } from './world.ts';

/** An object with those that it was reached through: `@fromContext` reads these. */
class Node {
  readonly thing: Thing;
  readonly typeName: string;
  readonly above: Node | undefined;

  constructor(thing: Thing, typeName: string, above: Node | undefined) {
    this.thing = thing;
    this.typeName = typeName;
    this.above = above;
  }
}

interface OperationScope extends TrialScope {
  readonly earlyInputs: ReadonlyMap<string, readonly SelectionSetNode[]>;
}

/** The graph as one schema, by the same data and resolvers as its subgraphs. */
export class GraphMonolith implements Monolith {
  readonly schema: GraphQLSchema;
  readonly #world: World;
  readonly #nullable: GraphQLSchema;

  /** `createSchema` gives the graph's API schema, a new one each time. */
  constructor(world: World, createSchema: () => GraphQLSchema) {
    this.#world = world;
    this.schema = this.#withResolvers(createSchema());
    this.#nullable = withoutNonNull(this.#withResolvers(createSchema()));
  }

  ask(trial: Trial): Promise<Answer> {
    return this.#ask(this.schema, trial);
  }

  askWithoutPropagation(trial: Trial): Promise<Answer> {
    return this.#ask(this.#nullable, trial);
  }

  /** The data of which no part can come from entities of that subgraph; null goes up to no parent. */
  async askWithoutSubgraph(trial: Trial, subgraph: string): Promise<Answer['data']> {
    return (await this.#ask(this.#nullable, trial, subgraph)).data;
  }

  async #ask(
    schema: GraphQLSchema,
    { source, variables, headers }: Trial,
    lostSubgraph?: string,
  ): Promise<Answer> {
    const document = parse(source);
    const earlyInputs = this.#earlyInputs(document);
    const scope = { ...this.#world.createScope(headers?.[faultsHeader]), lostSubgraph, earlyInputs };
    const result = await execute({
      schema,
      document,
      variableValues: variables,
      contextValue: scope,
    });
    const { data, errors = [] } = readJson(JSON.stringify(result)) as Partial<Answer>;
    return { data, errors, hidden: scope.hidden };
  }

  /** What a gateway asks objects for before it knows whether anything needs it, by their types: what the operation's
   *  fields read from contexts, and what they require where a subgraph knows no type but the interface. */
  #earlyInputs(document: DocumentNode): Map<string, readonly SelectionSetNode[]> {
    const names = new Set<string>();
    visit(document, { [Kind.FIELD]: ({ name }: FieldNode) => void names.add(name.value) });
    const inputs = new Map<string, readonly SelectionSetNode[]>();
    const add = (typeName: string, set: SelectionSetNode): void =>
      void inputs.set(typeName, [...(inputs.get(typeName) ?? []), set]);
    const { definitions } = this.#world;
    for (const { node, typeName, fromContext, requires } of definitions.places) {
      if (!names.has(node.name.value)) continue;
      for (const { selections } of fromContext) for (const [type, set] of selections) add(type, set);
      if (requires !== undefined) for (const type of definitions.subtypes(typeName)) add(type, requires);
    }
    return inputs;
  }

  #withResolvers(schema: GraphQLSchema): GraphQLSchema {
    for (const type of Object.values(schema.getTypeMap())) {
      if (type.name.startsWith('__')) continue;
      if (isAbstractType(type)) type.resolveType = ({ thing }: Node) => thing.__typename;
      if (!isObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        const named = getNamedType(field.type);
        const isComposite = isCompositeType(named);
        field.resolve = (parent: Node | undefined, args, scope: OperationScope) => {
          const node = parent ?? new Node({}, type.name, undefined);
          for (const inputs of scope.earlyInputs.get(type.name) ?? []) {
            this.#world.selectAnswers(node.thing, type.name, inputs, scope);
          }
          const value = this.#answer(node, type.name, field.name, args, scope);
          if (isComposite) return mapItems(value, (thing) => wrap(schema, thing, named.name, node));
          if (!isEnumType(named)) return value;
          return mapItems(value, (name) => (named.getValue(name as string) === undefined ? null : name));
        };
      }
    }
    return schema;
  }

  #answer(
    node: Node,
    typeName: string,
    fieldName: string,
    args: Readonly<Record<string, unknown>>,
    scope: TrialScope,
  ): unknown {
    const { lostSubgraph } = scope;
    if (lostSubgraph !== undefined && this.#world.mayNeed(lostSubgraph, typeName, fieldName)) return null;
    const place = this.#world.placeFor(typeName, node.thing, fieldName);
    if (place === undefined) {
      // What the field requires is asked before it turns out that there is nobody to send it to.
      for (const other of this.#world.definitions.answering(typeName, fieldName)) {
        this.#world.require(node.thing, typeName, other, scope);
      }
      return null;
    }
    const required = this.#world.require(node.thing, typeName, place, scope);
    if (required === null) return null;
    const fromContext = this.#readContext(node, place, scope);
    return this.#world.resolve(
      typeName,
      node.thing,
      fieldName,
      { ...hiddenArguments(place, args), ...args, ...fromContext },
      scope,
      required,
    );
  }

  #readContext(node: Node, { fromContext }: FieldPlace, scope: TrialScope): Record<string, unknown> {
    return Object.fromEntries(
      fromContext.map(({ argument, selections }) => {
        for (let above: Node | undefined = node; above !== undefined; above = above.above) {
          const selection = selections.get(above.thing.__typename ?? above.typeName);
          if (selection === undefined) continue;
          const selected = this.#world.selectAnswers(above.thing, above.typeName, selection, scope);
          return [argument, Object.values(selected as object)[0]];
        }
        throw new GraphQLError(`Nothing sets the context for ${argument}`);
      }),
    );
  }
}

/** Defaults of arguments that clients do not see: all that a subgraph gets and a client cannot give. */
function hiddenArguments(
  { node }: FieldPlace,
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

/** Null for what clients must not see: it is as if it was not there. */
function wrap(schema: GraphQLSchema, value: unknown, declared: string, above: Node): Node | null {
  const thing = value as Thing;
  const typeName = thing.__typename ?? declared;
  return schema.getType(typeName) === undefined ? null : new Node(thing, typeName, above);
}

function mapItems(value: unknown, map: (item: unknown) => unknown): unknown {
  if (value === null || value === undefined) return null;
  return Array.isArray(value) ? value.map((item) => mapItems(item, map)) : map(value);
}
