import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { AttemptEnd } from '../../../../gateway/subgraphs/policies/call.ts';
import { EndpointBalancer } from '../../../../gateway/subgraphs/policies/endpointBalancer.ts';
import type { SubgraphResponse } from '../../../../gateway/subgraphs/subgraphClient.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { hang, json, reset, startScriptedSubgraph } from '../../../harness/scriptedSubgraph.ts';
import { createClientFixture } from '../clientFixture.ts';

const succeeded: AttemptEnd = {
  result: { data: {}, errors: undefined } as unknown as SubgraphResponse,
  status: 200,
  retryAfter: undefined,
};
const failed: AttemptEnd = {
  result: new GatewayError('SUBGRAPH_UNREACHABLE', 'gone'),
  status: undefined,
  retryAfter: undefined,
};

function open(urls: readonly string[], random = seeded()) {
  const clock = new FakeTimers();
  const changes: string[] = [];
  const balancer = new EndpointBalancer(urls, clock.now, random, (url, change) =>
    changes.push(`${url} ${change}`),
  );
  const call = (end: AttemptEnd | undefined, latencyMs = 10, avoid?: string): string => {
    const url = balancer.choose(avoid);
    balancer.onStart(url);
    balancer.onEnd(url, end, latencyMs);
    return url;
  };
  return { clock, balancer, call, changes };
}

/** Evenly distributed numbers, the same in each run. */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const ejected = (balancer: EndpointBalancer): string[] =>
  balancer.states.filter(({ isEjected }) => isEjected).map(({ url }) => url);

describe('calls to a subgraph with several endpoints', () => {
  test('are spread over equal endpoints', () => {
    const { call } = open(['a', 'b', 'c']);
    const counts = new Map<string, number>();
    for (let n = 0; n < 300; n++) {
      const url = call(succeeded);
      counts.set(url, (counts.get(url) ?? 0) + 1);
    }
    for (const url of ['a', 'b', 'c']) expect(counts.get(url)).toBeGreaterThan(50);
  });

  test('go to the endpoint with fewer calls in flight', () => {
    const { balancer, call } = open(['a', 'b']);
    while (call(succeeded) !== 'a');
    while (call(succeeded) !== 'b');
    for (let n = 0; n < 5; n++) balancer.onStart('a');
    expect(Array.from({ length: 20 }, () => call(succeeded))).toEqual(Array(20).fill('b'));
  });

  test('prefer a new endpoint for one call, and not while that call hangs', () => {
    const { balancer } = open(['known', 'new']);
    balancer.onStart('known');
    balancer.onEnd('known', succeeded, 10);
    expect(balancer.choose(undefined)).toBe('new');
    balancer.onStart('new');
    expect(Array.from({ length: 20 }, () => balancer.choose(undefined))).toEqual(Array(20).fill('known'));
  });

  test('avoid a slow endpoint', () => {
    const { balancer } = open(['slow', 'fast']);
    for (const [url, latencyMs] of [
      ['slow', 500],
      ['fast', 5],
    ] as const) {
      balancer.onStart(url);
      balancer.onEnd(url, succeeded, latencyMs);
    }
    expect(Array.from({ length: 20 }, () => balancer.choose(undefined))).toEqual(Array(20).fill('fast'));
  });

  test('go to another endpoint than the one to avoid', () => {
    const { call } = open(['a', 'b']);
    expect(Array.from({ length: 20 }, () => call(succeeded, 10, 'a'))).toEqual(Array(20).fill('b'));
  });

  test('go to the only endpoint although it is the one to avoid', () => {
    expect(open(['a']).balancer.choose('a')).toBe('a');
  });

  test('leave an endpoint that failed five times in a row, and come back after five seconds', () => {
    const { clock, balancer } = open(['bad', 'good']);
    for (let n = 0; n < 5; n++) {
      balancer.onStart('bad');
      balancer.onEnd('bad', failed, 1);
    }
    expect(ejected(balancer)).toEqual(['bad']);
    expect(Array.from({ length: 20 }, () => balancer.choose(undefined))).toEqual(Array(20).fill('good'));
    clock.advance(5_000);
    expect(ejected(balancer)).toEqual([]);
    expect(balancer.choose('good')).toBe('bad');
  });

  test('leave an endpoint for longer when it fails right after it came back', () => {
    const { clock, balancer } = open(['bad', 'good']);
    const fail = (): void => {
      balancer.onStart('bad');
      balancer.onEnd('bad', failed, 1);
    };
    for (let n = 0; n < 5; n++) fail();
    clock.advance(5_000);
    fail();
    clock.advance(9_999);
    expect(ejected(balancer)).toEqual(['bad']);
    clock.advance(1);
    expect(ejected(balancer)).toEqual([]);
  });

  test('leave an endpoint for a minute at most, and not for longer because calls of before its ejection fail', () => {
    const { clock, balancer } = open(['bad', 'b', 'c', 'd']);
    const fail = (): void => {
      balancer.onStart('bad');
      balancer.onEnd('bad', failed, 1);
    };
    for (let n = 0; n < 5; n++) fail();
    for (let ejections = 1; ejections < 20; ejections++) {
      clock.advance(60_000);
      fail();
    }
    clock.advance(59_999);
    expect(ejected(balancer)).toEqual(['bad']);
    for (let n = 0; n < 5; n++) fail();
    clock.advance(1);
    expect(ejected(balancer)).toEqual([]);
  });

  test('report one ejection of an endpoint however often it fails again, and its recovery', () => {
    const { clock, balancer, changes } = open(['bad', 'good']);
    const end = (result: AttemptEnd): void => {
      balancer.onStart('bad');
      balancer.onEnd('bad', result, 1);
    };
    for (let n = 0; n < 5; n++) end(failed);
    for (let n = 0; n < 3; n++) {
      clock.advance(60_000);
      end(failed);
    }
    // A call that was sent before the ejection.
    end(succeeded);
    expect(changes).toEqual(['bad ejected']);
    clock.advance(60_000);
    end(succeeded);
    end(succeeded);
    expect(changes).toEqual(['bad ejected', 'bad recovered']);
  });

  test('can fail over only to an endpoint that is not ejected and did not fail last', () => {
    const { clock, balancer } = open(['a', 'b']);
    const end = (url: string, result: AttemptEnd): void => {
      balancer.onStart(url);
      balancer.onEnd(url, result, 1);
    };
    expect(balancer.hasHealthyOther('a')).toBe(true);
    end('b', failed);
    expect(balancer.hasHealthyOther('a')).toBe(false);
    expect(balancer.hasHealthyOther('b')).toBe(true);
    end('b', succeeded);
    expect(balancer.hasHealthyOther('a')).toBe(true);
    for (let n = 0; n < 5; n++) end('b', failed);
    expect(balancer.hasHealthyOther('a')).toBe(false);
    clock.advance(5_000);
    expect(balancer.hasHealthyOther('a')).toBe(true);
  });

  test('use at least half of the endpoints, and all counts are right, for any sequence of events', () => {
    const event = fc.record({
      end: fc.constantFrom(succeeded, failed, failed, undefined),
      ms: fc.nat(2_000),
      latencyMs: fc.nat(1_000),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), (events, size) => {
        const urls = Array.from({ length: size }, (_, n) => `endpoint ${n}`);
        const { clock, balancer, call } = open(urls);
        for (const { end, ms, latencyMs } of events) {
          expect(urls).toContain(call(end, latencyMs));
          expect(ejected(balancer).length).toBeLessThanOrEqual(size / 2);
          clock.advance(ms);
        }
        expect(balancer.states.every(({ inFlight }) => inFlight === 0)).toBe(true);
      }),
    );
  });
});

test.each([
  [
    'a retry',
    reset,
    { retry: { attempts: 2, minDelay: 1, maxDelay: 1, budgetRatio: 1, on: ['connection'] } },
  ],
  ['a hedge', hang, { hedge: { after: 30, budgetRatio: 1 } }],
] as const)('%s goes to another endpoint', async (_, script, settings) => {
  await using good = await startScriptedSubgraph();
  await using bad = await startScriptedSubgraph();
  good.setDefaultScript(json({ data: { ok: true } }));
  bad.setDefaultScript(script);
  const urls = [bad.url, good.url];
  // Without latencies, the first of two random endpoints is chosen: the bad one.
  await using fixture = createClientFixture(bad.url, { at: { ...settings, urls }, random: () => 0 });
  const answer = fixture.send();
  await bad.waitForRequests(1);
  await (script === reset ? bad.requests[0]?.connectionClosed : undefined);
  while (good.requests.length === 0) {
    fixture.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await answer.outcome).toMatchObject({ data: { ok: true } });
  expect(bad.requests.length).toBe(1);
});

test('no call fails while one of two endpoints refuses connections, beyond the retry budget', async () => {
  await using good = await startScriptedSubgraph();
  good.setDefaultScript(json({ data: { ok: true } }));
  const dead = await startScriptedSubgraph();
  await dead.close();
  const retry = { attempts: 2, minDelay: 0, maxDelay: 0, budgetRatio: 0.2, on: ['connection'] } as const;
  await using fixture = createClientFixture(dead.url, { at: { retry, urls: [dead.url, good.url] } });
  for (let call = 0; call < 10; call++) {
    const answer = fixture.send();
    while (answer.callCount() === 0) {
      fixture.clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await answer.outcome).toMatchObject({ data: { ok: true } });
  }
  expect(good.requests.length).toBe(10);
  expect(fixture.client.states()).toMatchObject([
    { hasRetryBudget: true, endpoints: [{ isEjected: true }, { isEjected: false }] },
  ]);
});

test('states and failures show no query parameters of addresses, which may be secrets', async () => {
  await using subgraph = await startScriptedSubgraph();
  subgraph.enqueueScripts(reset);
  const url = `${subgraph.url}?key=secret`;
  const failures: unknown[] = [];
  await using fixture = createClientFixture(url, {
    at: { urls: [url] },
    onCall: ({ failure }) => failures.push(failure?.describe()),
  });
  await fixture.send({ kind: 'mutation' }).outcome;
  const shown = `${subgraph.url}?key=***`;
  expect(fixture.client.states()).toMatchObject([{ endpoints: [{ url: shown }] }]);
  expect(failures).toMatchObject([{ url: shown }]);
});
