import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { getOperationAST, Kind, parse, print, visit } from 'graphql';
import { relevantOverrides } from '../../gateway/operation/relevantOverrides.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { loadSupergraphInProcess } from '../harness/loadSupergraphInProcess.ts';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';
import { labelFields } from './labelFields.ts';

const { sdl, labels } = labelFields(readFileSync(demoSupergraphFile, 'utf8'));

describe('relevantOverrides', () => {
  let supergraph: Supergraph;
  beforeAll(async () => {
    supergraph = await loadSupergraphInProcess(sdl);
  });
  afterAll(() => supergraph.planner.close());

  test('is tested on a graph with many progressive @override labels', () => {
    expect(labels.length).toBeGreaterThan(10);
  });

  test.each(readDemoOperations())(
    'lists exactly the labels that change the plan of $name',
    async ({ source }) => {
      const document = parse(source);
      // Operations are planned without `@skip` and `@include`.
      const unconditional = print(visit(document, { [Kind.DIRECTIVE]: () => null }));
      const relevant = relevantOverrides(supergraph, document, getOperationAST(document) ?? undefined);
      const planWith = (overrides: readonly string[]) =>
        supergraph.planner.plan({ document: unconditional, shouldSplitDefer: false, overrides });
      const withNone = await planWith([]);
      expect(await planWith(labels.filter((label) => !relevant.includes(label)))).toEqual(withNone);
      for (const label of relevant) expect(await planWith([label])).not.toEqual(withNone);
    },
  );
});
