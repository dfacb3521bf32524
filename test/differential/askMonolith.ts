import { execute, type GraphQLSchema, parse } from 'graphql';
import { type Answer, readJson } from './answer.ts';
import { type Trial, viewerId } from './askGateway.ts';
import { buildMonolith, createContext, createStore, type DemoStore } from './monolith.ts';
import type { Monolith } from './trials.ts';
import { withoutNonNull } from './withoutNonNull.ts';

/** The time that new records get, in gateway and monolith alike. */
export const now = (): Date => new Date('2026-03-01T12:00:00Z');

/** The demo graph as one schema. */
export class DemoMonolith implements Monolith {
  readonly schema: GraphQLSchema = buildMonolith();
  readonly #nullable: GraphQLSchema = withoutNonNull(buildMonolith());
  readonly #store: DemoStore = createStore({ now });

  ask(trial: Trial): Promise<Answer> {
    return ask(this.schema, this.#store, trial);
  }

  askWithoutPropagation(trial: Trial): Promise<Answer> {
    return ask(this.#nullable, this.#store, trial);
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
