import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { explainOperation } from '../../../gateway/operation/explainOperation.ts';
import { readSupergraphNames } from '../../../gateway/planning/supergraphNames.ts';
import { hostileOperation } from '../../harness/peopleSubgraphs.ts';
import { createSingleSubgraphPlanner } from '../../harness/plannerDouble.ts';

const { limits } = parseConfig({ supergraph: { file: 'unused' } });
const sdl = 'type Query { me: User } type User { name: String friend: User }';
const planner = createSingleSubgraphPlanner('people');
const supergraph = {
  id: 'aa',
  sdl,
  apiSchema: buildSchema(sdl),
  overrides: new Map(),
  subgraphs: new Map(),
  planner,
  names: readSupergraphNames(parse(sdl)),
};
const explain = (text: string) => explainOperation(text, [], supergraph, limits);

test('explainOperation prints the plan of an operation with the internal names for the planner', async () => {
  expect(await explain('query Me { me { name } }')).toContain('Fetch(service: "people")');
  expect(planner.requests.map(({ document }) => document)).toEqual(['query Me { me { name } }']);
});

test('explainOperation refuses an operation beyond the limits before validation and planning', async () => {
  // The operation is also invalid: validation would report that instead.
  await expect(explain(`${hostileOperation(30)} { nobody }`)).rejects.toMatchObject({
    code: 'OPERATION_TOO_COMPLEX',
    message: expect.stringMatching(
      /^The operation has at least \d+ selections with its fragments expanded; at most 10000 are allowed \(limits\.recursiveSelections\)\.$/,
    ),
  });
  await expect(explain('{ nobody }')).rejects.toThrow('Cannot query field "nobody" on type "Query".');
});

test('explainOperation refuses an operation whose kind the schema does not have, as the gateway does', async () => {
  await expect(explain('mutation { rename }')).rejects.toThrow(
    'The mutation operation is not supported by the schema.',
  );
});
