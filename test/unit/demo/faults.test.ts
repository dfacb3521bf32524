import { describe, expect, test } from '@jest/globals';
import { buildSchema, graphql } from 'graphql';
import { createFaultInjector } from '../../../subgraphs/shared/faults.ts';
import { parseFaults } from '../../../subgraphs/shared/parseFaults.ts';
import { ManualFaultClock } from './manualFaultClock.ts';

function setUp(faults: string) {
  const schema = buildSchema('type Query { fast: Int slow: Int }');
  const clock = new ManualFaultClock();
  const injector = createFaultInjector(schema, clock);
  injector.replace(parseFaults(faults));
  const abort = new AbortController();
  const ask = (source: string) =>
    graphql({ schema, source, rootValue: { fast: 1, slow: 2 }, contextValue: { signal: abort.signal } });
  return { clock, injector, abort, ask };
}

describe('a field with a fault', () => {
  test('resolves after its latency, while other fields resolve at once', async () => {
    const { clock, ask } = setUp('Query.slow=latency:1500');
    expect(await ask('{ fast }')).toEqual({ data: { fast: 1 } });

    let hasAnswered = false;
    const answer = ask('{ slow fast }').then((result) => {
      hasAnswered = true;
      return result;
    });
    clock.advance(1499);
    await Promise.resolve();
    expect([hasAnswered, clock.sleeps]).toEqual([false, [1500]]);
    clock.advance(1);
    expect(await answer).toEqual({ data: { slow: 2, fast: 1 } });
  });

  test('fails with the code INJECTED_FAULT', async () => {
    const { ask } = setUp('Query.slow=error');
    const { data, errors } = await ask('{ slow fast }');
    expect({ data, errors: errors?.map((error) => error.toJSON()) }).toEqual({
      data: { slow: null, fast: 1 },
      errors: [
        {
          message: 'Injected fault at Query.slow',
          locations: [{ line: 1, column: 3 }],
          path: ['slow'],
          extensions: { code: 'INJECTED_FAULT' },
        },
      ],
    });
  });

  test('hangs until the client disconnects', async () => {
    const { abort, ask } = setUp('Query.slow=hang');
    const answer = ask('{ slow }');
    abort.abort(new Error('left'));
    const { errors } = await answer;
    expect(errors?.map(({ message }) => message)).toEqual(['left']);
  });

  test('stops waiting when the client disconnects during its latency', async () => {
    const { clock, abort, ask } = setUp('Query.slow=latency:60000');
    const answer = ask('{ slow }');
    abort.abort(new Error('left'));
    await answer;
    expect(clock.sleeperCount).toBe(0);
  });

  test.each(['hang', 'latency:60000,error'])(
    'with %s resolves as soon as the faults are replaced',
    async (fault) => {
      const { clock, injector, ask } = setUp(`Query.slow=${fault}`);
      const answer = ask('{ slow }');
      injector.replace(parseFaults(''));
      expect(await answer).toEqual({ data: { slow: 2 } });
      expect(clock.sleeperCount).toBe(0);
    },
  );

  test('resolves normally after the faults are replaced', async () => {
    const { injector, ask } = setUp('Query.slow=error');
    injector.replace(parseFaults(''));
    expect(await ask('{ slow }')).toEqual({ data: { slow: 2 } });
  });
});

describe('faults with rates and tails', () => {
  async function countErrors(faults: string): Promise<number> {
    const { ask } = setUp(faults);
    let errors = 0;
    for (let call = 0; call < 1000; call++) {
      if ((await ask('{ slow }')).errors !== undefined) errors += 1;
    }
    return errors;
  }

  test('occur about as often as their rate, and equally often for equal seeds', async () => {
    const errors = await countErrors('Query.slow=error:0.2; seed=3');
    expect(errors).toBeGreaterThan(150);
    expect(errors).toBeLessThan(250);
    expect(await countErrors('Query.slow=error:0.2; seed=3')).toBe(errors);
  });

  test('spread latencies around the median, with a tail beyond the 99th percentile', async () => {
    const { clock, injector } = setUp('*=latency:40~900; seed=5');
    const { signal } = new AbortController();
    const passing = Array.from({ length: 2000 }, () => injector.applyToRequest(signal));
    clock.advance(Number.MAX_SAFE_INTEGER);
    await Promise.all(passing);
    const sorted = clock.sleeps.toSorted((a, b) => a - b);
    const p50 = sorted[1000] ?? 0;
    const p99 = sorted[1980] ?? 0;
    expect([p50 > 35 && p50 < 45, p99 > 700 && p99 < 1200]).toEqual([true, true]);
  });
});

test('faults for a field that the subgraph does not have are refused, and the former faults stay active', async () => {
  const { injector, ask } = setUp('Query.slow=error');
  expect(() => injector.replace(parseFaults('Query.fast=error; Query.slwo=hang'))).toThrow(
    'Query.slwo: this subgraph has no such field; name a Type.field of it, or *',
  );
  expect((await ask('{ fast slow }')).data).toEqual({ fast: 1, slow: null });
});
