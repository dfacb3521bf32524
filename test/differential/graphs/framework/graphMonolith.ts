import {
  execute,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  parse,
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

  async ask(trial: Trial): Promise<Answer> {
    return await this.#ask(this.schema, trial);
  }

  async askWithoutPropagation(trial: Trial): Promise<Answer['data']> {
    return (await this.#ask(this.#nullable, trial)).data;
  }

  async #ask(schema: GraphQLSchema, { source, variables, headers }: Trial): Promise<Answer> {
    const scope = this.#world.createScope(headers?.[faultsHeader]);
    const result = await execute({
      schema,
      document: parse(source),
      variableValues: variables,
      contextValue: scope,
    });
    const { data, errors = [] } = readJson(JSON.stringify(result)) as Partial<Answer>;
    return { data, errors, hidden: scope.hidden };
  }

  #withResolvers(schema: GraphQLSchema): GraphQLSchema {
    for (const type of Object.values(schema.getTypeMap())) {
      if (type.name.startsWith('__')) continue;
      if (isAbstractType(type)) type.resolveType = ({ thing }: Node) => thing.__typename;
      if (!isObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        const named = getNamedType(field.type);
        const isComposite = isCompositeType(named);
        field.resolve = (parent: Node | undefined, args, scope: TrialScope) => {
          const node = parent ?? new Node({}, type.name, undefined);
          const value = this.#answer(node, type.name, field.name, args, scope);
          return isComposite ? wrap(value, named.name, node) : value;
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
    const place = this.#world.placeFor(typeName, node.thing, fieldName);
    if (place === undefined) return null;
    const required = this.#world.require(node.thing, typeName, place, scope);
    const fromContext = this.#readContext(node, place, scope);
    return this.#world.resolve(typeName, node.thing, fieldName, { ...args, ...fromContext }, scope, required);
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

function wrap(value: unknown, typeName: string, above: Node): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map((item) => wrap(item, typeName, above));
  const thing = value as Thing;
  return new Node(thing, thing.__typename ?? typeName, above);
}
