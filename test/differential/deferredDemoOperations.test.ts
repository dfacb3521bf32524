import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { type DemoOperation, readDemoOperations } from '../harness/readDemoOperations.ts';
import { runTrials } from '../harness/runTrials.ts';
import { choosePart, isLongRun } from '../harness/seeds.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { DemoMonolith } from './demoMonolith.ts';
import { startDifferentialGateway } from './differentialGateway.ts';
import { deferFormats } from './executeTrial.ts';
import { chooseDefers, insertDefers, listPositions } from './insertDefers.ts';
import { compareDeferredAnswer, type DeferTrial } from './trials.ts';

const operations = readDemoOperations().filter(({ kind }) => kind !== 'subscription');
const combinations = isLongRun ? 6 : 3;

/** `@defer` at each position of the operation, one at a time. */
function oneByOne(operation: DemoOperation): DeferTrial[] {
  const document = parse(operation.source);
  return listPositions(document).flatMap((kind, position) => {
    if (kind === 'repeat') return [];
    const source = insertDefers(document, new Map([[position, position % 2 === 0 ? { label: 'only' } : {}]]));
    return [{ source, variables: operation.variables, withoutDefer: operation }];
  });
}

/** `@defer` at several random positions, some of them nested or overlapping. */
function combined(operation: DemoOperation, seed: number): DeferTrial[] {
  const random = createRandom(seed);
  const document = parse(operation.source);
  return Array.from({ length: combinations }, () => {
    const { source, variables } = chooseDefers(document, random, 6);
    return { source, variables: { ...operation.variables, ...variables }, withoutDefer: operation };
  });
}

const parts = 2 * deferFormats.length;
const part = choosePart(parts);

/** Each trial with each format; of these, a commit runs a quarter, and `npm run test:long` all. */
function withFormats(trials: readonly DeferTrial[]) {
  return trials
    .flatMap((trial) => deferFormats.map((format) => ({ trial, format })))
    .filter((_, index) => part === undefined || index % parts === part);
}

const gateway = disposeAfterSuite(await startDifferentialGateway());

describe('payloads of queries with @defer merge to the response without it:', () => {
  const monolith = new DemoMonolith();

  test.each(
    operations.filter(({ kind }) => kind === 'query').map((operation, seed) => ({ ...operation, seed })),
  )('$name, with @defer at each position and at several (seed $seed)', async ({ seed, ...operation }) => {
    const expected = await monolith.execute(operation);
    const trials = [...oneByOne(operation), ...combined(operation, seed)];
    const problems = await runTrials(withFormats(trials), ({ trial, format }) =>
      compareDeferredAnswer(gateway.url, monolith, trial, format, expected),
    );
    expect(problems).toEqual([]);
  });
});

describe('payloads of mutations with @defer merge to the response without it:', () => {
  // Gateway and monolith run the same mutations in the same order, so that their data stays equal.
  const monolith = new DemoMonolith();

  test.each(
    operations.filter(({ kind }) => kind === 'mutation').map((operation, seed) => ({ ...operation, seed })),
  )('$name, with @defer at each position and at several (seed $seed)', async ({ seed, ...operation }) => {
    const trials = [...oneByOne(operation), ...combined(operation, seed)];
    const problems = await runTrials(
      withFormats(trials),
      ({ trial, format }) => compareDeferredAnswer(gateway.url, monolith, trial, format),
      1,
    );
    expect(problems).toEqual([]);
  });
});
