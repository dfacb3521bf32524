import { afterAll, describe, expect, test } from '@jest/globals';
import { deferFormats } from './executeTrial.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { readRegressionOperations } from './readRegressionOperations.ts';
import { compareCompleteAnswer, compareDeferredAnswer } from './trials.ts';

// Operations that were once answered wrong. A new one: a file `<graph>.<what>.graphql` in
// `test/fixtures/operations/regressions/` with a line that says what it is about, made as small as it gets.

const operations = readRegressionOperations();

describe.each([...new Set(operations.map(({ graph }) => graph))])('once wrong over the graph %s', (graph) => {
  const definition = graphs.find(({ name }) => name === graph);
  let starting: Promise<RunningGraph> | undefined;
  const start = (): Promise<RunningGraph> => {
    if (definition === undefined) throw new Error(`There is no graph ${graph}`);
    starting ??= startGraph(definition);
    return starting;
  };
  afterAll(async () => (await starting)?.[Symbol.asyncDispose]());

  test.each(operations.filter((operation) => operation.graph === graph))(
    '$name: $about',
    async ({ trial, withoutDefer }) => {
      const { gateway, monolith } = await start();
      if (withoutDefer === undefined)
        return expect(await compareCompleteAnswer(gateway.url, monolith, trial)).toBeUndefined();
      for (const format of deferFormats) {
        expect(
          await compareDeferredAnswer(gateway.url, monolith, { ...trial, withoutDefer }, format),
        ).toBeUndefined();
      }
    },
  );
});
