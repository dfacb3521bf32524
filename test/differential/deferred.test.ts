import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import type { TestGateway } from '../harness/gateway.ts';
import { deferFormats } from './askGateway.ts';
import { DemoMonolith } from './askMonolith.ts';
import { startGatewayUnderTest } from './gatewayUnderTest.ts';
import { listPlaces, pickDefers, placeDefers } from './placeDefers.ts';
import { type DemoOperation, readDemoOperations } from './readDemoOperations.ts';
import { type DeferTrial, runTrials, tryDeferred } from './trials.ts';

const operations = readDemoOperations().filter(({ kind }) => kind !== 'subscription');
const combinations = 6;

/** `@defer` at every place of the operation, one at a time. */
function oneByOne(operation: DemoOperation): DeferTrial[] {
  const document = parse(operation.source);
  return listPlaces(document).flatMap((kind, place) => {
    if (kind === 'repeat') return [];
    const source = placeDefers(document, new Map([[place, place % 2 === 0 ? { label: 'only' } : {}]]));
    return [{ source, variables: operation.variables, whole: operation }];
  });
}

/** At several places, nested and overlapping as it comes. */
function combined(operation: DemoOperation, seed: number): DeferTrial[] {
  const random = createRandom(seed);
  const document = parse(operation.source);
  return Array.from({ length: combinations }, () => {
    const { source, variables } = pickDefers(document, random, 6);
    return { source, variables: { ...operation.variables, ...variables }, whole: operation };
  });
}

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGatewayUnderTest();
});
afterAll(() => gateway.close());

describe('queries with @defer merge to the answer without it', () => {
  const monolith = new DemoMonolith();

  test.each(
    operations.filter(({ kind }) => kind === 'query').map((operation, seed) => ({ ...operation, seed })),
  )('$name, at every place and at several (seed $seed)', async ({ seed, ...operation }) => {
    const expected = await monolith.ask(operation);
    const trials = [...oneByOne(operation), ...combined(operation, seed)];
    const problems = await runTrials(
      trials.flatMap((trial) => deferFormats.map((format) => ({ trial, format }))),
      ({ trial, format }) => tryDeferred(gateway.url, monolith, trial, format, expected),
    );
    expect(problems).toEqual([]);
  });
});

describe('mutations with @defer merge to the answer without it', () => {
  // Gateway and monolith carry out the same mutations in the same order, so that their data stay equal.
  const monolith = new DemoMonolith();

  test.each(
    operations.filter(({ kind }) => kind === 'mutation').map((operation, seed) => ({ ...operation, seed })),
  )('$name, at every place and at several (seed $seed)', async ({ seed, ...operation }) => {
    const trials = [...oneByOne(operation), ...combined(operation, seed)];
    const problems = await runTrials(
      trials.flatMap((trial) => deferFormats.map((format) => ({ trial, format }))),
      ({ trial, format }) => tryDeferred(gateway.url, monolith, trial, format),
      1,
    );
    expect(problems).toEqual([]);
  });
});
