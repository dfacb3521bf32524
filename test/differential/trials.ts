import { type GraphQLSchema, parse, validate } from 'graphql';
import type { Answer } from './answer.ts';
import { askGateway, askIncrementally, type DeferFormat, type Trial } from './askGateway.ts';
import { findPayloadProblem } from './checkPayloads.ts';
import { findDifference } from './compareAnswers.ts';
import { findDeferredDifference } from './compareDeferred.ts';

/** What is right. */
export interface Monolith {
  ask(trial: Trial): Promise<Answer>;
  /** The answer before any null went up to a parent: of the same type system without non-null types. */
  askWithoutPropagation(trial: Trial): Promise<Answer>;
}

/** An operation with `@defer`, and the same without. */
export interface DeferTrial extends Trial {
  readonly whole: Trial;
}

/** What a client of the gateway sees differently from one of the monolith, as a text to read. */
export async function tryWhole(url: string, monolith: Monolith, trial: Trial): Promise<string | undefined> {
  const problem = await problemOf(async () => {
    const [expected, got] = await Promise.all([monolith.ask(trial), askGateway(url, trial)]);
    return findDifference({
      expected,
      got,
      unpropagated: () => monolith.askWithoutPropagation(trial),
    });
  });
  return problem && report(trial, problem);
}

/** The same for an answer in parts, in one format. */
export async function tryDeferred(
  url: string,
  monolith: Monolith,
  trial: DeferTrial,
  format: DeferFormat,
  expected?: Answer,
): Promise<string | undefined> {
  let received: readonly unknown[] = [];
  const problem = await problemOf(async () => {
    const { payloads, merged } = await askIncrementally(url, trial, format);
    received = payloads;
    return (
      findPayloadProblem(payloads, parse(trial.source)) ??
      (await findDeferredDifference({
        expected: expected ?? (await monolith.ask(trial.whole)),
        unpropagated: () => monolith.askWithoutPropagation(trial.whole),
        payloads,
        merged,
      }))
    );
  });
  if (problem === undefined) return undefined;
  const lines = received.map((payload) => `  ${JSON.stringify(payload)}`);
  return report(trial, `${format}: ${problem}\n${lines.join('\n')}`);
}

/** Runs up to `width` trials at once. Problems, in the order of the trials. */
export async function runTrials<T>(
  trials: readonly T[],
  run: (trial: T) => Promise<string | undefined>,
  width = 8,
): Promise<string[]> {
  const problems: (string | undefined)[] = trials.map(() => undefined);
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let index = next++; index < trials.length; index = next++) {
        problems[index] = await run(trials[index] as T);
      }
    }),
  );
  return problems.filter((problem) => problem !== undefined);
}

/** A trial of an invalid operation would compare two refusals. */
export function assertValid(schema: GraphQLSchema, source: string): void {
  const [error] = validate(schema, parse(source));
  if (error !== undefined) throw new Error(`${error.message}\n${source}`);
}

async function problemOf(find: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await find();
  } catch (error) {
    return String(error);
  }
}

function report({ source, variables }: Trial, problem: string): string {
  return `${problem}\n${source}\nvariables ${JSON.stringify(variables)}\n`;
}
