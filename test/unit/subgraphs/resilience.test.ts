import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import type { SubgraphCallEvent } from '../../../gateway/subgraphs/httpSubgraphClient.ts';
import type {
  CallPolicyObserver,
  CallPolicySettings,
} from '../../../gateway/subgraphs/policies/callPolicies.ts';
import type { RetrySettings } from '../../../gateway/subgraphs/policies/retryPolicy.ts';
import { hang, json, reset } from '../../harness/scriptedSubgraph.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import { waitUntil } from '../../harness/waitUntil.ts';
import {
  type ClientFixture,
  createClientFixture,
  ok,
  type SentRequest,
  withStatus,
} from './clientFixture.ts';
import { subgraph } from './subgraphPerTest.ts';

const retry: RetrySettings = {
  attempts: 2,
  minDelay: 50,
  maxDelay: 1_000,
  budgetRatio: 1,
  on: ['connection', 429, 502, 503, 504],
};
const breaker = {
  failureRatio: 0.5,
  minCalls: 2,
  window: 10_000,
  openFor: 5_000,
  scope: 'subgraph',
} as const;

/** A client whose retries wait for the longest possible time. */
function createFixture(at: CallPolicySettings, observed: SubgraphCallEvent[] = []): ClientFixture {
  return createClientFixture(subgraph.url, {
    at,
    random: () => 1,
    onCall: (event) => observed.push(event),
  });
}

/** Resolves when the attempts so far have ended: the client then waits with one timer, for the retry. */
const untilEnded = (events: readonly SubgraphCallEvent[], count: number): Promise<void> =>
  waitUntil(() => events.length >= count);

/** An observer that counts the calls that are sent again. */
function countResends(): {
  readonly counts: Record<'retries' | 'hedges', number>;
  observer: CallPolicyObserver;
} {
  const counts = { retries: 0, hedges: 0 };
  const ignore = (): void => {};
  return {
    counts,
    observer: {
      onRetry: () => {
        counts.retries += 1;
      },
      onHedge: () => {
        counts.hedges += 1;
      },
      onJoin: ignore,
      onWait: ignore,
      onWaitEnd: ignore,
      onCircuitChange: ignore,
      onEndpointChange: ignore,
      onMalformedRetryAfter: ignore,
    },
  };
}

async function codeOf({ outcome }: SentRequest): Promise<string> {
  const result = await outcome;
  return result instanceof GatewayError ? result.code : 'completed';
}

describe('a query', () => {
  test.each([
    ['status 503', withStatus(503)],
    ['a GraphQL response with status 503', withStatus(503, JSON.stringify({ errors: [{ message: 'no' }] }))],
    ['status 429 with Retry-After', withStatus(429, undefined, { 'retry-after': '0' })],
    ['a reset of a new connection', reset],
  ])('is sent again after %s, and gets the second response', async (_, script) => {
    const events: SubgraphCallEvent[] = [];
    await using fixture = createFixture({ retry }, events);
    subgraph.enqueueScripts(script, json(ok));
    const answer = fixture.send();
    await untilEnded(events, 1);
    expect(subgraph.requests.length).toBe(1);
    fixture.clock.advance(50);
    expect(await answer.outcome).toMatchObject({ data: ok.data });
    expect(subgraph.requests.length).toBe(2);
  });

  test('is not sent again after a failed response whose result a hook has replaced', async () => {
    const events: SubgraphCallEvent[] = [];
    await using fixture = createClientFixture(subgraph.url, {
      at: { retry },
      hooks: { afterResponse: async () => JSON.stringify(ok) },
      onCall: (event) => events.push(event),
    });
    subgraph.setDefaultScript(withStatus(503));
    const answer = fixture.send();
    await untilEnded(events, 1);
    await waitForTurns();
    expect(answer.callCount()).toBe(1);
    expect(await answer.outcome).toMatchObject({ data: ok.data });
    expect(fixture.clock.pendingCount).toBe(0);
  });

  test('is sent again with the time that is left', async () => {
    const events: SubgraphCallEvent[] = [];
    await using fixture = createFixture({ retry }, events);
    subgraph.enqueueScripts(withStatus(503), json(ok));
    const answer = fixture.send({ deadline: fixture.clock.now() + 1_000 });
    await untilEnded(events, 1);
    fixture.clock.advance(50);
    await answer.outcome;
    expect(subgraph.requests.map(({ headers }) => headers.get('tributary-deadline-ms'))).toEqual([
      '1000',
      '950',
    ]);
  });

  test('fails with the last error when every attempt failed', async () => {
    const events: SubgraphCallEvent[] = [];
    await using fixture = createFixture({ retry }, events);
    subgraph.setDefaultScript(withStatus(503));
    const answer = fixture.send();
    await untilEnded(events, 1);
    fixture.clock.advance(50);
    expect(await codeOf(answer)).toBe('SUBGRAPH_UNREACHABLE');
    expect([subgraph.requests.length, fixture.clock.pendingCount]).toEqual([2, 0]);
  });

  test('that is cancelled while it waits for its retry is not sent again', async () => {
    const events: SubgraphCallEvent[] = [];
    await using fixture = createFixture({ retry }, events);
    subgraph.setDefaultScript(withStatus(503));
    const answer = fixture.send();
    await untilEnded(events, 1);
    answer.cancel();
    fixture.clock.advance(1_000);
    expect([subgraph.requests.length, fixture.clock.pendingCount, answer.callCount()]).toEqual([1, 0, 0]);
  });

  test('shares its retry with equal queries', async () => {
    const events: SubgraphCallEvent[] = [];
    await using fixture = createFixture({ retry }, events);
    subgraph.enqueueScripts(withStatus(503), json(ok));
    const answers = [fixture.send(), fixture.send()];
    await untilEnded(events, 1);
    answers.push(fixture.send());
    fixture.clock.advance(50);
    expect(await Promise.all(answers.map(codeOf))).toEqual(['completed', 'completed', 'completed']);
    expect(subgraph.requests.length).toBe(2);
  });

  test('releases its slot while it waits for its retry', async () => {
    const events: SubgraphCallEvent[] = [];
    await using fixture = createClientFixture(subgraph.url, {
      at: { retry, concurrency: { max: 1, queue: 10 } },
      random: () => 1,
      onCall: (event) => events.push(event),
    });
    subgraph.enqueueScripts(withStatus(503), json(ok), json(ok));
    const first = fixture.send();
    const second = fixture.send({ body: '{"query":"{second}"}' });
    expect(await codeOf(second)).toBe('completed');
    fixture.clock.advance(50);
    expect(await codeOf(first)).toBe('completed');
  });
});

test.each([
  ['is sent again at once, once per retry of the budget', 1, 'completed', 3],
  ['is not sent again without a budget', 0, 'SUBGRAPH_UNREACHABLE', 2],
])('a query on an idle connection that was lost %s', async (_, budgetRatio, code, requests) => {
  await using fixture = createClientFixture(subgraph.url, {
    at: { connections: 1, retry: { ...retry, budgetRatio } },
  });
  subgraph.enqueueScripts(json(ok), reset, json(ok));
  await fixture.send().outcome;
  expect(await codeOf(fixture.send())).toBe(code);
  expect(subgraph.requests.length).toBe(requests);
});

test('a mutation is sent again if it could not be sent, because the connection was refused', async () => {
  const events: SubgraphCallEvent[] = [];
  const { counts, observer } = countResends();
  await using fixture = createClientFixture(subgraph.url, {
    at: { retry },
    random: () => 1,
    observer,
    onCall: (event) => events.push(event),
  });
  await subgraph.close();
  const answer = fixture.send({ kind: 'mutation' });
  await untilEnded(events, 1);
  fixture.clock.advance(50);
  expect(await codeOf(answer)).toBe('SUBGRAPH_UNREACHABLE');
  expect(counts.retries).toBe(1);
});

test('a mutation that may have arrived is never sent again', async () => {
  await using fixture = createFixture({ retry });
  subgraph.setDefaultScript(withStatus(503));
  expect(await codeOf(fixture.send({ kind: 'mutation' }))).toBe('SUBGRAPH_UNREACHABLE');
  expect(subgraph.requests.length).toBe(1);
});

describe('an open circuit', () => {
  test('refuses calls at once, until a probe succeeds', async () => {
    await using fixture = createFixture({ breaker });
    subgraph.enqueueScripts(withStatus(500), withStatus(500), json(ok), json(ok));
    const codes = [];
    for (let n = 0; n < 3; n++) codes.push(await codeOf(fixture.send()));
    fixture.clock.advance(5_000);
    for (let n = 0; n < 2; n++) codes.push(await codeOf(fixture.send()));
    expect(codes).toEqual([
      'SUBGRAPH_UNREACHABLE',
      'SUBGRAPH_UNREACHABLE',
      'CIRCUIT_OPEN',
      'completed',
      'completed',
    ]);
    expect(subgraph.requests.length).toBe(4);
  });

  test('ends the retries of the call whose failure opened it, and spends no budget', async () => {
    await using fixture = createFixture({ retry, breaker: { ...breaker, minCalls: 1 } });
    subgraph.setDefaultScript(withStatus(503));
    expect(await codeOf(fixture.send())).toBe('SUBGRAPH_UNREACHABLE');
    expect([subgraph.requests.length, fixture.clock.pendingCount]).toEqual([1, 0]);
    expect(fixture.client.states()).toMatchObject([{ circuit: 'open', hasRetryBudget: true }]);
  });

  test('refuses calls that were queued when it opened', async () => {
    await using fixture = createClientFixture(subgraph.url, {
      at: { breaker: { ...breaker, minCalls: 1 }, concurrency: { max: 1, queue: 10 } },
    });
    subgraph.setDefaultScript(withStatus(500));
    const answers = ['a', 'b', 'c'].map((body) => fixture.send({ body }));
    expect(await Promise.all(answers.map(codeOf))).toEqual([
      'SUBGRAPH_UNREACHABLE',
      'CIRCUIT_OPEN',
      'CIRCUIT_OPEN',
    ]);
  });

  test('is not opened by requests that clients cancel', async () => {
    await using fixture = createFixture({ breaker });
    subgraph.enqueueScripts(hang, hang, json(ok));
    for (const count of [1, 2]) {
      const { cancel } = fixture.send();
      await subgraph.waitForRequests(count);
      cancel();
    }
    expect(await codeOf(fixture.send())).toBe('completed');
  });

  test('is opened by a subgraph that hangs until the deadlines of its callers', async () => {
    await using fixture = createFixture({ breaker });
    subgraph.setDefaultScript(hang);
    const answers = ['a', 'b'].map((body) => fixture.send({ body, deadline: fixture.clock.now() + 3_000 }));
    await subgraph.waitForRequests(2);
    fixture.clock.advance(3_000);
    expect(await Promise.all(answers.map(codeOf))).toEqual(['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED']);
    expect(await codeOf(fixture.send())).toBe('CIRCUIT_OPEN');
  });

  test('lets equal queries join its probe', async () => {
    await using fixture = createFixture({ breaker: { ...breaker, minCalls: 1 } });
    let release = (): void => {};
    subgraph.enqueueScripts(withStatus(500), ({ respond }) => {
      release = () => respond({ body: JSON.stringify(ok) });
    });
    await fixture.send().outcome;
    fixture.clock.advance(5_000);
    const answers = [fixture.send(), fixture.send()];
    const other = fixture.send({ body: '{"query":"{other}"}' });
    await subgraph.waitForRequests(2);
    release();
    expect(await Promise.all([...answers, other].map(codeOf))).toEqual([
      'completed',
      'completed',
      'CIRCUIT_OPEN',
    ]);
  });

  test('is reported with its coordinate', async () => {
    await using fixture = createFixture({ breaker: { ...breaker, scope: 'coordinate' } });
    const coordinates = new Map([['ok', ['Query.ok']]]);
    subgraph.setDefaultScript(json({ data: null, errors: [{ message: 'no', path: ['ok'] }] }));
    for (let n = 0; n < 2; n++) await fixture.send({ coordinates }).outcome;
    expect(await codeOf(fixture.send({ coordinates }))).toBe('CIRCUIT_OPEN');
    expect(await codeOf(fixture.send({ coordinates: new Map([['me', ['Query.me']]]) }))).toBe('completed');
    expect(fixture.client.states()).toMatchObject([
      { subgraph: 'reviews', circuit: 'open', openCircuits: [{ coordinate: 'Query.ok', state: 'open' }] },
    ]);
  });
});

describe('a hedged query', () => {
  const hedge = { after: 30, budgetRatio: 1 } as const;

  test('gets the response of its second attempt, and the first one is cancelled', async () => {
    await using fixture = createFixture({ hedge });
    subgraph.enqueueScripts(hang, json(ok));
    const answer = fixture.send();
    await subgraph.waitForRequests(1);
    fixture.clock.advance(30);
    expect(await codeOf(answer)).toBe('completed');
    await subgraph.requests[0]?.connectionClosed;
    expect([subgraph.requests.length, fixture.clock.pendingCount]).toEqual([2, 0]);
  });

  test('ignores a failure of one attempt while the other is under way', async () => {
    await using fixture = createFixture({ hedge });
    let release = (): void => {};
    subgraph.enqueueScripts(({ respond }) => {
      release = () => respond({ body: JSON.stringify(ok) });
    }, reset);
    const answer = fixture.send();
    await subgraph.waitForRequests(1);
    fixture.clock.advance(30);
    await subgraph.waitForRequests(2);
    await subgraph.requests[1]?.connectionClosed;
    release();
    expect(await codeOf(answer)).toBe('completed');
  });

  test('gets its first response, and no second attempt, when the circuit has opened meanwhile', async () => {
    const { counts, observer } = countResends();
    await using fixture = createClientFixture(subgraph.url, { at: { hedge, breaker }, observer });
    let release = (): void => {};
    subgraph.enqueueScripts(
      ({ respond }) => {
        release = () => respond({ body: JSON.stringify(ok) });
      },
      withStatus(500),
      withStatus(500),
    );
    const slow = fixture.send();
    await subgraph.waitForRequests(1);
    await Promise.all(['b', 'c'].map((body) => fixture.send({ body }).outcome));
    expect(fixture.client.states()).toMatchObject([{ circuit: 'open' }]);
    fixture.clock.advance(30);
    release();
    expect(await codeOf(slow)).toBe('completed');
    expect([subgraph.requests.length, counts.hedges]).toEqual([3, 0]);
  });

  test.each([
    ['a mutation', { kind: 'mutation' }, {}],
    ['a query without a free slot', {}, { concurrency: { max: 1, queue: 1 } }],
    ['a query beyond the budget', {}, { hedge: { after: 30, budgetRatio: 0 } }],
  ] as const)('%s has no second attempt', async (_, request, at) => {
    const { counts, observer } = countResends();
    await using fixture = createClientFixture(subgraph.url, { at: { hedge, ...at }, observer });
    subgraph.setDefaultScript(hang);
    const answer = fixture.send(request);
    await subgraph.waitForRequests(1);
    fixture.clock.advance(5_000);
    expect(await codeOf(answer)).toBe('SUBGRAPH_TIMEOUT');
    // A second attempt would have ended before the subgraph received it.
    expect([subgraph.requests.length, counts.hedges]).toEqual([1, 0]);
  });
});

describe('the counters of retries and hedges', () => {
  const at = { retry, breaker, hedge: { after: 30, budgetRatio: 1 } } as const;

  test('count what was sent', async () => {
    const { counts, observer } = countResends();
    const events: SubgraphCallEvent[] = [];
    await using fixture = createClientFixture(subgraph.url, {
      at,
      observer,
      random: () => 1,
      onCall: (event) => events.push(event),
    });
    subgraph.enqueueScripts(withStatus(503), hang, json(ok));
    const answer = fixture.send();
    await untilEnded(events, 1);
    expect(counts).toEqual({ retries: 0, hedges: 0 });
    fixture.clock.advance(50);
    await subgraph.waitForRequests(2);
    expect(counts).toEqual({ retries: 1, hedges: 0 });
    fixture.clock.advance(30);
    expect(await codeOf(answer)).toBe('completed');
    expect(counts).toEqual({ retries: 1, hedges: 1 });
  });

  test('do not count what an open circuit refuses', async () => {
    const { counts, observer } = countResends();
    const events: SubgraphCallEvent[] = [];
    await using fixture = createClientFixture(subgraph.url, {
      at: { ...at, retry: { ...retry, minDelay: 10 }, hedge: { ...at.hedge, after: 100 } },
      observer,
      random: () => 1,
      onCall: (event) => events.push(event),
    });
    subgraph.enqueueScripts(hang, withStatus(503), withStatus(500));
    const slow = fixture.send({ body: 'slow' });
    await subgraph.waitForRequests(1);
    const retried = fixture.send({ body: 'retried' });
    await untilEnded(events, 1);
    await fixture.send({ body: 'opens the circuit' }).outcome;
    fixture.clock.advance(10);
    expect(await codeOf(retried)).toBe('CIRCUIT_OPEN');
    fixture.clock.advance(90);
    slow.cancel();
    expect([subgraph.requests.length, counts]).toEqual([3, { retries: 0, hedges: 0 }]);
  });
});

test('a subgraph that responds with 503 lowers its own limit', async () => {
  await using fixture = createClientFixture(subgraph.url, {
    at: { isAdaptive: true, concurrency: { max: 10, queue: 10 } },
  });
  subgraph.setDefaultScript(withStatus(503));
  await fixture.send().outcome;
  expect(fixture.client.states()).toMatchObject([{ concurrencyLimit: 9, running: 0, queued: 0 }]);
});
