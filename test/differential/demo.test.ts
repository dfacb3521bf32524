import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TestGateway } from '../harness/gateway.ts';
import { DemoMonolith } from './askMonolith.ts';
import { startGatewayUnderTest } from './gatewayUnderTest.ts';
import { readDemoOperations } from './readDemoOperations.ts';
import { tryWhole } from './trials.ts';

const operations = readDemoOperations();

describe('queries', () => {
  let gateway: TestGateway;
  const monolith = new DemoMonolith();
  beforeAll(async () => {
    gateway = await startGatewayUnderTest();
  });
  afterAll(() => gateway.close());

  test.each(operations.filter(({ kind }) => kind === 'query'))(
    'the gateway answers $name as a monolith does, key by key and error by error',
    async (operation) => {
      expect(await tryWhole(gateway.url, monolith, operation)).toBeUndefined();
    },
  );
});

describe('mutations', () => {
  test.each(operations.filter(({ kind }) => kind === 'mutation'))(
    'the gateway carries out $name, on fresh data, as a monolith does',
    async (operation) => {
      await using gateway = await startGatewayUnderTest();
      expect(await tryWhole(gateway.url, new DemoMonolith(), operation)).toBeUndefined();
    },
  );
});
