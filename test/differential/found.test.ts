import { afterAll, describe, expect, test } from '@jest/globals';
import { deferFormats } from './askGateway.ts';
import { graphs } from './graphs/all.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { readFoundOperations } from './readFoundOperations.ts';
import { tryDeferred, tryWhole } from './trials.ts';

// Operations that were once answered wrong. A new one: a file `<graph>.<what>.graphql` in
// `test/fixtures/operations/found/` with a line that says what it is about, made as small as it gets.

const operations = readFoundOperations();

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
    async ({ trial, whole }) => {
      const { gateway, monolith } = await start();
      if (whole === undefined) return expect(await tryWhole(gateway.url, monolith, trial)).toBeUndefined();
      for (const format of deferFormats) {
        expect(await tryDeferred(gateway.url, monolith, { ...trial, whole }, format)).toBeUndefined();
      }
    },
  );
});
