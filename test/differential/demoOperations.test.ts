import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import type { TestGateway } from '../harness/testGateway.ts';
import { DemoMonolith } from './demoMonolith.ts';
import { startDifferentialGateway } from './differentialGateway.ts';
import { compareCompleteAnswer } from './trials.ts';

const operations = readDemoOperations();

describe('queries', () => {
  let gateway: TestGateway;
  const monolith = new DemoMonolith();
  beforeAll(async () => {
    gateway = await startDifferentialGateway();
  });
  afterAll(() => gateway.close());

  test.each(operations.filter(({ kind }) => kind === 'query'))(
    'the gateway answers $name as a monolith does, key by key and error by error',
    async (operation) => {
      expect(await compareCompleteAnswer(gateway.url, monolith, operation)).toBeUndefined();
    },
  );
});

describe('mutations', () => {
  test.each(operations.filter(({ kind }) => kind === 'mutation'))(
    'the gateway carries out $name, on fresh data, as a monolith does',
    async (operation) => {
      await using gateway = await startDifferentialGateway();
      expect(await compareCompleteAnswer(gateway.url, new DemoMonolith(), operation)).toBeUndefined();
    },
  );
});
