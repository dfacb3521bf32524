import {
  execute,
  GraphQLList,
  type GraphQLOutputType,
  type GraphQLSchema,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
} from 'graphql';
import { type Answer, readJson } from './answer.ts';
import { type Trial, viewerId } from './askGateway.ts';
import { buildMonolith, createContext, createStore, type DemoStore } from './monolith.ts';

/** The time that new records get, in gateway and monolith alike. */
export const now = (): Date => new Date('2026-03-01T12:00:00Z');

/** What is right. */
export class Monolith {
  readonly schema: GraphQLSchema = buildMonolith();
  readonly #nullable: GraphQLSchema = withoutNonNull(buildMonolith());
  readonly #store: DemoStore = createStore({ now });

  ask(trial: Trial): Promise<Answer> {
    return ask(this.schema, this.#store, trial);
  }

  /** The data as it was before any null went up to a parent: of the same type system without non-null types. */
  async askWithoutPropagation(trial: Trial): Promise<Answer['data']> {
    return (await ask(this.#nullable, this.#store, trial)).data;
  }
}

async function ask(schema: GraphQLSchema, store: DemoStore, { source, variables }: Trial): Promise<Answer> {
  const result = await execute({
    schema,
    document: parse(source),
    variableValues: variables,
    contextValue: createContext(store, viewerId),
  });
  const { data, errors = [] } = readJson(JSON.stringify(result)) as Partial<Answer>;
  return { data, errors };
}

function withoutNonNull(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) field.type = nullableOf(field.type);
  }
  return schema;
}

function nullableOf(type: GraphQLOutputType): GraphQLOutputType {
  if (isNonNullType(type)) return nullableOf(type.ofType);
  return isListType(type) ? new GraphQLList(nullableOf(type.ofType)) : type;
}
