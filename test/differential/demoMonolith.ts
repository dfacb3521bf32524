import { execute, type GraphQLSchema, parse } from 'graphql';
import { buildMonolith, createContext, createStore, type DemoStore } from '../harness/monolithSchema.ts';
import type { Trial } from '../harness/trial.ts';
import { type Answer, readJson } from './answer.ts';
import { viewerId } from './executeTrial.ts';
import { removeNonNull } from './removeNonNull.ts';
import type { Monolith } from './trials.ts';

/** The time of new records in the gateway's subgraphs and in the monolith. */
export const fixedNow = (): Date => new Date('2026-03-01T12:00:00Z');

/** The demo graph as one schema. */
export class DemoMonolith implements Monolith {
  readonly schema: GraphQLSchema = buildMonolith();
  readonly #nullable: GraphQLSchema = removeNonNull(buildMonolith());
  readonly #store: DemoStore = createStore({ now: fixedNow });

  execute(trial: Trial): Promise<Answer> {
    return executeOnSchema(this.schema, this.#store, trial);
  }

  executeWithoutNullPropagation(trial: Trial): Promise<Answer> {
    return executeOnSchema(this.#nullable, this.#store, trial);
  }
}

async function executeOnSchema(
  schema: GraphQLSchema,
  store: DemoStore,
  { source, variables }: Trial,
): Promise<Answer> {
  const result = await execute({
    schema,
    document: parse(source),
    variableValues: variables,
    contextValue: createContext(store, viewerId),
  });
  const { data, errors = [] } = readJson(JSON.stringify(result)) as Partial<Answer>;
  return { data, errors };
}
