import { expect, jest, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import type { Planner } from '../../../gateway/planning/planner.ts';
import type { QueryPlan } from '../../../gateway/planning/queryPlan.ts';
import { rootFetch } from '../../harness/fetchNodes.ts';
import { createLocalPipeline } from '../../harness/localPipeline.ts';

const sdl = 'type Query { answer: Int }';

test('a request that waits for the planner ends at its deadline, and its plan is cached for the next request', async () => {
  const planned = Promise.withResolvers<QueryPlan>();
  let planCount = 0;
  const planner: Planner = {
    plan: () => {
      planCount++;
      return planned.promise;
    },
    close: async () => {},
  };
  const schema = buildSchema(sdl);
  const options = { planner, sdl, apiSchema: schema, subgraphs: new Map([['only', schema]]) };
  let deadlineMs = 20;
  const setTimeout = jest.spyOn(globalThis, 'setTimeout');
  const pipeline = createLocalPipeline({ ...options, deadlineMs: () => deadlineMs });
  await expect(pipeline.execute('{ answer }')).rejects.toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    status: 504,
  });

  // For a negative delay, Node would print a warning.
  deadlineMs = -5;
  await expect(pipeline.execute('{ answer }')).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  expect(setTimeout.mock.calls.filter(([, delay]) => Number(delay) < 0)).toEqual([]);

  planned.resolve({
    kind: 'QueryPlan',
    node: rootFetch('answer', { serviceName: 'only' }),
  });
  deadlineMs = 600_000;
  expect(await pipeline.execute('{ answer }')).toEqual({ data: { answer: null } });
  expect(planCount).toBe(1);
});
