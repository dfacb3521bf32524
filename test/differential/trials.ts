import { parse } from 'graphql';
import type { Trial } from '../harness/trial.ts';
import type { Answer } from './answer.ts';
import { findPayloadProblem } from './checkPayloads.ts';
import { findDifference } from './compareAnswers.ts';
import { findDeferredDifference } from './compareDeferred.ts';
import { type DeferFormat, executeTrial, executeTrialIncrementally } from './executeTrial.ts';

/** The reference for correct responses. */
export interface Monolith {
  execute(trial: Trial): Promise<Answer>;
  /** The response without null propagation, from the same schema without non-null types. */
  executeWithoutNullPropagation(trial: Trial): Promise<Answer>;
}

/** An operation with `@defer`, and the same without. */
export interface DeferTrial extends Trial {
  readonly withoutDefer: Trial;
}

/** Compares complete responses of the gateway and the monolith. Returns the difference as text. */
export async function compareCompleteAnswer(
  url: string,
  monolith: Monolith,
  trial: Trial,
): Promise<string | undefined> {
  const problem = await problemOf(async () => {
    const [expected, got] = await Promise.all([monolith.execute(trial), executeTrial(url, trial)]);
    return findDifference({
      expected,
      got,
      withoutNullPropagation: () => monolith.executeWithoutNullPropagation(trial),
    });
  });
  return problem && report(trial, problem);
}

/** Compares an incremental response in one format with the monolith's response. */
export async function compareDeferredAnswer(
  url: string,
  monolith: Monolith,
  trial: DeferTrial,
  format: DeferFormat,
  expected?: Answer,
): Promise<string | undefined> {
  let received: readonly unknown[] = [];
  const problem = await problemOf(async () => {
    const { payloads, merged } = await executeTrialIncrementally(url, trial, format);
    received = payloads;
    return (
      findPayloadProblem(payloads, parse(trial.source)) ??
      (await findDeferredDifference({
        expected: expected ?? (await monolith.execute(trial.withoutDefer)),
        withoutNullPropagation: () => monolith.executeWithoutNullPropagation(trial.withoutDefer),
        payloads,
        merged,
      }))
    );
  });
  if (problem === undefined) return undefined;
  const lines = received.map((payload) => `  ${JSON.stringify(payload)}`);
  return report(trial, `${format}: ${problem}\n${lines.join('\n')}`);
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
