import { afterAll, describe, expect, test } from '@jest/globals';
import { deferFormats } from './executeTrial.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { readRegressionOperations } from './readRegressionOperations.ts';
import { compareCompleteAnswer, compareDeferredAnswer } from './trials.ts';

// Operations that once had wrong responses. To add one, create a file `<graph>.<name>.graphql` in
// `test/fixtures/operations/regressions/` with a line that describes it, and make it as small as possible.

const operations = readRegressionOperations();

describe.each([...new Set(operations.map(({ graph }) => graph))])(
  'a regression over the graph %s stays fixed:',
  (graph) => {
    const definition = graphs.find(({ name }) => name === graph);
    let starting: Promise<RunningGraph> | undefined;
    const start = (): Promise<RunningGraph> => {
      if (definition === undefined) throw new Error(`No graph is named ${graph}.`);
      starting ??= startGraph(definition);
      return starting;
    };
    afterAll(async () => (await starting)?.[Symbol.asyncDispose]());

    test.each(operations.filter((operation) => operation.graph === graph))(
      '$name: $description',
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
  },
);
