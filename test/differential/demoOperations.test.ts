import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import type { TestGateway } from '../harness/testGateway.ts';
import { DemoMonolith } from './demoMonolith.ts';
import { startDifferentialGateway } from './differentialGateway.ts';
import { compareCompleteAnswer } from './trials.ts';

const operations = readDemoOperations();

describe('demo queries', () => {
  let gateway: TestGateway;
  const monolith = new DemoMonolith();
  beforeAll(async () => {
    gateway = await startDifferentialGateway();
  });
  afterAll(() => gateway.close());

  test.each(operations.filter(({ kind }) => kind === 'query'))(
    "the response to $name equals the monolith's, including errors and the order of keys",
    async (operation) => {
      expect(await compareCompleteAnswer(gateway.url, monolith, operation)).toBeUndefined();
    },
  );
});

describe('demo mutations', () => {
  test.each(operations.filter(({ kind }) => kind === 'mutation'))(
    "the response to $name on new data equals the monolith's",
    async (operation) => {
      await using gateway = await startDifferentialGateway();
      expect(await compareCompleteAnswer(gateway.url, new DemoMonolith(), operation)).toBeUndefined();
    },
  );
});
