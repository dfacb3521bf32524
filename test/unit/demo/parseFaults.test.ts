import { describe, expect, test } from '@jest/globals';
import { FaultSpecError, parseFaults, readFaults } from '../../../subgraphs/shared/parseFaults.ts';

describe('parseFaults', () => {
  test('reads targets, fixed and log-normal latencies, rates and the seed', () => {
    const text = 'Product.recommended=latency:1500; *=latency:40~900,error:0.05,hang:0.01; seed=7';
    expect(parseFaults(text)).toEqual({
      seed: 7,
      targets: {
        'Product.recommended': { latency: 1500 },
        '*': { latency: { p50: 40, p99: 900 }, errorRate: 0.05, hangRate: 0.01 },
      },
    });
  });

  test('reads a missing rate as 1', () => {
    expect(parseFaults('Product.stock=hang;*=error')).toEqual({
      targets: { 'Product.stock': { hangRate: 1 }, '*': { errorRate: 1 } },
    });
  });

  test('accepts an empty text', () => {
    expect(parseFaults(' ; ')).toEqual({ targets: {} });
  });

  test.each([
    ['Product.stock', 'Cannot read "Product.stock"; write Type.field=latency:1500 or *=error:0.1'],
    ['*=slow', '*: cannot read "slow"; write latency:1500, latency:40~900 (p50~p99), error:0.1 or hang'],
    [
      '*=latency',
      '*: cannot read "latency"; write latency:1500, latency:40~900 (p50~p99), error:0.1 or hang',
    ],
    ['*=error:2', '*.errorRate: must be a rate from 0 to 1'],
    ['*=latency:900~40', '*.latency: needs 0 < p50 <= p99'],
    ['seed=soon', 'seed: must be a whole number'],
  ])('are refused with a reason when they read %p', (text, message) => {
    expect(() => parseFaults(text)).toThrow(new FaultSpecError(message));
  });
});

describe('readFaults', () => {
  test.each([
    [[], 'Faults must be an object such as {"targets": {…}}'],
    [{}, 'targets: must be an object; {} ends all faults'],
    [{ target: {} }, 'faults: unknown key "target"; known are seed, targets'],
    [{ targets: { '*': 5 } }, '*: must be an object with latency, errorRate or hangRate'],
    [{ targets: { '*': { delay: 5 } } }, '*: unknown key "delay"; known are latency, errorRate, hangRate'],
    [{ targets: { '*': { latency: 3_600_001 } } }, '*.latency: must be milliseconds from 0 to 3600000'],
    [{ targets: { '*': { latency: -1 } } }, '*.latency: must be milliseconds from 0 to 3600000'],
    [{ targets: { '*': { latency: { p50: 1 } } } }, '*.latency.p99: must be milliseconds from 0 to 3600000'],
  ])('are refused with a reason: %j', (value, message) => {
    expect(() => readFaults(value)).toThrow(new FaultSpecError(message));
  });
});
