import { describe, expect, test } from '@jest/globals';
import { type DemoSubgraph, describeFault, isAsUsual } from '../../../storefront/page/demoState.ts';

describe('describeFault', () => {
  test.each([
    [{ latency: 1500 }, '1500 ms slower'],
    [{ latency: { p50: 40, p99: 900 } }, '40–900 ms slower'],
    [{ errorRate: 1 }, 'fails'],
    [{ latency: 20, errorRate: 0.5, hangRate: 0.25 }, '20 ms slower, 25 % of calls hang, 50 % of calls fail'],
    [{}, 'no fault'],
  ])('describes %j in words', (fault, words) => {
    expect(describeFault(fault)).toBe(words);
  });
});

describe('isAsUsual', () => {
  const subgraph: DemoSubgraph = {
    name: 'reviews',
    state: 'running',
    exit: null,
    faults: { '*': { latency: 5 } },
    defaultFaults: { '*': { latency: 5 } },
    fields: [],
  };

  test('is true for a running subgraph with its default faults only', () => {
    expect(isAsUsual(subgraph)).toBe(true);
    expect(isAsUsual({ ...subgraph, state: 'down', faults: {} })).toBe(false);
    expect(isAsUsual({ ...subgraph, faults: {} })).toBe(false);
  });
});
