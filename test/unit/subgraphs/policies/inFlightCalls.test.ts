import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../../../gateway/errors.ts';
import { TextKey } from '../../../../gateway/sharing/textMap.ts';
import type { Call, CallListener } from '../../../../gateway/subgraphs/policies/call.ts';
import {
  type CallPolicies,
  type CallPolicySettings,
  createCallPolicies,
} from '../../../../gateway/subgraphs/policies/callPolicies.ts';
import { callRankOf, RaisablePriority } from '../../../../gateway/subgraphs/policies/callPriority.ts';
import type { CallUrgency } from '../../../../gateway/subgraphs/policies/callUrgency.ts';
import { InFlightCalls } from '../../../../gateway/subgraphs/policies/inFlightCalls.ts';
import type { RetrySettings } from '../../../../gateway/subgraphs/policies/retryPolicy.ts';
import type { SubgraphResponse } from '../../../../gateway/subgraphs/subgraphClient.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { startScriptedSubgraph } from '../../../harness/scriptedSubgraph.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { createClientFixture, sendRequest } from '../clientFixture.ts';

/** A call that the test answers. */
class OpenCall implements Call {
  readonly key: string;
  listener: CallListener | undefined;
  status: number | undefined;
  aborts = 0;

  constructor(key: string) {
    this.key = key;
  }

  start(listener: CallListener): void {
    this.listener = listener;
  }

  abort(): void {
    this.aborts += 1;
    this.listener = undefined;
  }

  take(): CallListener | undefined {
    const { listener } = this;
    this.listener = undefined;
    return listener;
  }
}

const responseFor = (key: string): SubgraphResponse => ({
  data: { key },
  errors: undefined,
  extensions: undefined,
  cacheControl: undefined,
  age: undefined,
  isEscapeFree: true,
});

type Step =
  | { readonly do: 'send'; readonly key: number; readonly leftMs: number; readonly rank: number }
  | { readonly do: 'turn' }
  | { readonly do: 'cancel' | 'answer' | 'fail'; readonly which: number }
  | { readonly do: 'advance'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('send' as const),
    key: fc.nat(2),
    leftMs: fc.integer({ min: 0, max: 80 }),
    rank: fc.nat(1),
  }),
  fc.record({
    do: fc.constantFrom('cancel' as const, 'answer' as const, 'fail' as const),
    which: fc.nat(20),
  }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.nat(40) }),
  fc.constant<Step>({ do: 'turn' }),
);

function policiesFor(max: number, { now }: FakeTimers, settings: CallPolicySettings = {}): CallPolicies {
  const limits = { total: max, primary: max, deferred: max, queued: 1 };
  return createCallPolicies('reviews', limits, settings, {
    now,
    wallClock: now,
    random: () => 0.5,
    queueTimeMs: 60,
  });
}

const breaker = { failureRatio: 0.5, minCalls: 3, window: 1_000, openFor: 30, scope: 'subgraph' } as const;

const retry: RetrySettings = {
  attempts: 3,
  minDelay: 5,
  maxDelay: 20,
  budgetRatio: 0.5,
  on: ['connection', 'timeout', 503],
};

const allPolicies: CallPolicySettings = {
  retry,
  breaker,
  hedge: { after: 10, budgetRatio: 0.5 },
  isAdaptive: true,
};

/** A query that may be shared and sent again. */
function requestOf(key: string, deadline: number, policies: CallPolicies) {
  return {
    key: new TextKey('', key),
    subgraph: 'reviews',
    attemptTimeoutMs: 50,
    deadline,
    urgency: {
      priority: 'primary',
      requestPriority: 'normal',
      rank: 0,
      earliestDeadline: deadline,
      isDeferred: false,
    },
    isIdempotent: true,
    policies,
    raisablePriorities: undefined,
  } as const;
}

describe('in-flight calls', () => {
  test.each([
    ['all at once', 10, {}],
    ['two at a time', 2, {}],
    ['one at a time', 1, {}],
    ['with every policy, all at once', 10, allPolicies],
    ['with every policy, two at a time', 2, allPolicies],
  ])(
    '%s: for any sequence of events, every receiver that was not cancelled is called once, in time, with its own response',
    async (_, max, settings) => {
      const run = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const clock = new FakeTimers();
        const policies = policiesFor(max, clock, settings);
        const faults: unknown[] = [];
        const calls: OpenCall[] = [];
        const ends: OpenCall[] = [];
        const receivers: {
          key: string;
          deadline: number;
          isCancelled: boolean;
          answers: string[];
          cancel: () => void;
        }[] = [];
        const inFlightCalls = new InFlightCalls<OpenCall>({
          now: clock.now,
          after: (ms, run) => clock.after(ms, run),
          onReceiverFault: (fault) => faults.push(fault),
          onCallEnd: (call) => ends.push(call),
        });

        for (const one of steps) {
          if (one.do === 'send') {
            const key = `key ${one.key}`;
            const receiver = {
              key,
              deadline: clock.now() + one.leftMs,
              isCancelled: false,
              answers: [] as string[],
              cancel: () => {},
            };
            receivers.push(receiver);
            const request = requestOf(key, receiver.deadline, policies);
            receiver.cancel = inFlightCalls.send({
              ...request,
              urgency: { ...request.urgency, rank: one.rank, isDeferred: one.rank > 0 },
              receiver: {
                onResponse: (response) => {
                  if (clock.now() > receiver.deadline) receiver.answers.push('too late');
                  receiver.answers.push(String(response.data?.key));
                },
                onError: (error) => receiver.answers.push(error.code),
              },
              createCall: () => {
                const call = new OpenCall(key);
                calls.push(call);
                return call;
              },
            });
          } else if (one.do === 'cancel') {
            const receiver = receivers[one.which];
            if (receiver !== undefined && receiver.answers.length === 0) receiver.isCancelled = true;
            receiver?.cancel();
          } else if (one.do === 'advance') {
            clock.advance(one.ms);
          } else if (one.do === 'turn') {
            await null;
          } else {
            const call = calls[one.which];
            if (one.do === 'answer') {
              if (call !== undefined) call.status = one.which % 4 === 3 ? 503 : 200;
              call?.take()?.onResponse({
                read(done) {
                  const failureStatus = call.status === 503 ? { failureStatus: 503 } : {};
                  done({ ...responseFor(call.key), ...failureStatus });
                  return () => {};
                },
              });
            } else call?.take()?.onFailure(new GatewayError('SUBGRAPH_UNREACHABLE', 'gone'));
          }
          // At most one call per key is under way, or one and its hedge.
          const open = calls.filter((call) => call.listener !== undefined).map((call) => call.key);
          const perKey = settings.hedge === undefined ? 1 : 2;
          for (const key of new Set(open))
            expect(open.filter((other) => other === key).length).toBeLessThanOrEqual(perKey);
          expect(open.length).toBeLessThanOrEqual(max);
        }
        // Queued calls start when others have ended, and end at their own deadlines.
        for (let round = 0; round < 5; round++) {
          clock.advance(1_000);
          await null;
        }
        expect([policies.queue.length, policies.queue.running]).toEqual([0, 0]);

        expect(faults).toEqual([]);
        expect(clock.pendingCount).toBe(0);
        expect(calls.every((call) => call.listener === undefined)).toBe(true);
        expect(ends.length).toBe(calls.length);
        for (const { key, isCancelled, answers } of receivers) {
          const allowed = [
            key,
            'SUBGRAPH_UNREACHABLE',
            'SUBGRAPH_TIMEOUT',
            'DEADLINE_EXCEEDED',
            'OVERLOADED',
            'CIRCUIT_OPEN',
          ];
          expect(answers.length).toBe(isCancelled ? 0 : 1);
          expect(answers.every((answer) => allowed.includes(answer))).toBe(true);
        }
      });
      await fc.assert(run, { numRuns: 500 });
    },
  );

  test('a call continues while a receiver waits for it, and is aborted once', () => {
    const clock = new FakeTimers();
    const call = new OpenCall('a');
    const inFlightCalls = new InFlightCalls<OpenCall>({
      now: clock.now,
      after: (ms, run) => clock.after(ms, run),
      onReceiverFault: () => {},
    });
    const join = (): (() => void) =>
      inFlightCalls.send({
        ...requestOf('a', clock.now() + 40, policiesFor(10, clock)),
        receiver: { onResponse: () => {}, onError: () => {} },
        createCall: () => call,
      });
    const cancels = [join(), join(), join()];

    const aborts = cancels.map((cancel) => {
      cancel();
      cancel();
      return call.aborts;
    });

    expect(aborts).toEqual([0, 0, 1]);
  });

  test('the time that the gateway takes to read a response is no time of the subgraph', () => {
    const clock = new FakeTimers();
    const policies = policiesFor(1, clock, { breaker: { ...breaker, minCalls: 1 } });
    const call = new OpenCall('a');
    const outcomes: string[] = [];
    const inFlightCalls = new InFlightCalls<OpenCall>({
      now: clock.now,
      after: (ms, run) => clock.after(ms, run),
      onReceiverFault: () => {},
      onCallEnd: (_, outcome, { latencyMs }) => outcomes.push(`${outcome} after ${latencyMs} ms`),
    });
    const results: string[] = [];
    inFlightCalls.send({
      ...requestOf('a', clock.now() + 200, policies),
      createCall: () => call,
      receiver: {
        onResponse: () => results.push('response'),
        onError: ({ code }) => results.push(code),
      },
    });
    clock.advance(20);
    // Large responses are read in slices, and extensions may wait.
    call.take()?.onResponse({ read: () => () => {} });
    clock.advance(179);
    expect(results).toEqual([]);
    clock.advance(1);
    expect([results, outcomes]).toEqual([['DEADLINE_EXCEEDED'], ['DEADLINE_EXCEEDED after 20 ms']]);
    expect(policies.circuits?.state).toBe('closed');
  });

  test('a call whose turn comes after its deadline is not sent, and takes neither a slot nor the probe of a circuit', async () => {
    const clock = new FakeTimers();
    // No timer fires while the event loop is busy.
    let busyMs = 0;
    const now = (): number => clock.now() + busyMs;
    const environment = { now, wallClock: now, random: () => 0.5, queueTimeMs: 1_000 };
    const limits = { total: 1, primary: 1, deferred: 1, queued: 10 };
    const policies = createCallPolicies('reviews', limits, { breaker }, environment);
    const calls: OpenCall[] = [];
    const results: string[] = [];
    const inFlightCalls = new InFlightCalls<OpenCall>({
      now,
      after: (ms, run) => clock.after(ms, run),
      onReceiverFault: () => {},
    });
    const send = (key: string, leftMs: number): void => {
      inFlightCalls.send({
        ...requestOf(key, now() + leftMs, policies),
        receiver: {
          onResponse: () => results.push(`${key}: response`),
          onError: ({ code }) => results.push(`${key}: ${code}`),
        },
        createCall: () => {
          const call = new OpenCall(key);
          calls.push(call);
          return call;
        },
      });
    };
    const answer = async (call: OpenCall | undefined): Promise<void> => {
      call?.take()?.onResponse({
        read(done) {
          done(responseFor('a'));
          return () => {};
        },
      });
      await waitForTurns();
    };
    send('first', 500);
    const failure = { result: new GatewayError('SUBGRAPH_UNREACHABLE', 'gone') };
    for (let n = 0; n < 3; n++) {
      const permits = policies.circuits?.acquire(undefined) ?? [];
      const end = { ...failure, status: undefined, retryAfter: undefined };
      policies.circuits?.record(permits, end, undefined, now());
    }
    clock.advance(30);
    expect(policies.circuits?.state).toBe('half-open');
    send('late', 40);

    busyMs = 41;
    await answer(calls[0]);
    expect(results).toEqual(['first: response', 'late: DEADLINE_EXCEEDED']);
    expect([policies.queue.length, policies.queue.running]).toEqual([0, 0]);

    send('next', 40);
    await answer(calls[1]);
    expect(calls.map(({ key }) => key)).toEqual(['first', 'next']);
    expect(results.at(-1)).toBe('next: response');
  });

  test('an observer that throws keeps no receiver from its result', async () => {
    const clock = new FakeTimers();
    const call = new OpenCall('a');
    const faults: unknown[] = [];
    const results: unknown[] = [];
    const inFlightCalls = new InFlightCalls<OpenCall>({
      now: clock.now,
      after: (ms, run) => clock.after(ms, run),
      onReceiverFault: (fault) => faults.push(fault),
      onCallEnd: () => {
        throw new Error('the observer is broken');
      },
    });
    const policies = policiesFor(1, clock);
    for (let n = 0; n < 2; n++) {
      inFlightCalls.send({
        ...requestOf('a', clock.now() + 40, policies),
        receiver: { onResponse: () => {}, onError: ({ code }) => results.push(code) },
        createCall: () => call,
      });
    }
    call.take()?.onFailure(new GatewayError('SUBGRAPH_UNREACHABLE', 'gone'));
    expect(results).toEqual(['SUBGRAPH_UNREACHABLE', 'SUBGRAPH_UNREACHABLE']);
    expect(faults).toEqual([new Error('the observer is broken')]);
    expect([policies.queue.running, clock.pendingCount]).toEqual([0, 0]);
  });

  test.each(['joins', 'raises the priority of'])(
    'a retry is as urgent as a request that %s the first attempt',
    (how) => {
      const clock = new FakeTimers();
      const limits = { total: 2, primary: 2, deferred: 1, queued: 10 };
      const environment = { now: clock.now, wallClock: clock.now, random: () => 0.5, queueTimeMs: 60 };
      const policies = createCallPolicies('reviews', limits, { retry }, environment);
      const calls: OpenCall[] = [];
      const inFlightCalls = new InFlightCalls<OpenCall>({
        now: clock.now,
        after: (ms, run) => clock.after(ms, run),
        onReceiverFault: () => {},
      });
      const deferred = {
        priority: 'normal',
        rank: callRankOf('normal', 'normal'),
        isDeferred: true,
      } as const;
      const send = (key: string, urgency: Partial<CallUrgency>, priority?: RaisablePriority): void => {
        const request = requestOf(key, clock.now() + 1_000, policies);
        inFlightCalls.send({
          ...request,
          urgency: { ...request.urgency, ...urgency },
          raisablePriorities: priority && [priority],
          receiver: { onResponse: () => {}, onError: () => {} },
          createCall: () => {
            const call = new OpenCall(key);
            calls.push(call);
            return call;
          },
        });
      };
      const priority = new RaisablePriority('normal');
      send('a', deferred, priority);
      if (how === 'joins') send('a', {});
      else priority.raise('primary');
      calls[0]?.take()?.onFailure(new GatewayError('SUBGRAPH_UNREACHABLE', 'gone'));
      // Takes the only slot for deferred calls.
      send('b', deferred);
      clock.advance(20);
      expect(calls.map(({ key }) => key)).toEqual(['a', 'b', 'a']);
    },
  );

  test("clients with different forwarded headers never get each other's responses", async () => {
    await using subgraph = await startScriptedSubgraph();
    subgraph.setDefaultScript(({ request, respond }) =>
      respond({
        body: JSON.stringify({
          data: { for: request.headers.get('authorization') ?? null, body: request.body },
        }),
      }),
    );
    await using under = createClientFixture(subgraph.url);
    const client = fc.record({
      user: fc.constantFrom('a', 'b', 'c', null),
      body: fc.constantFrom('{"q":1}', '{"q":2}'),
    });

    const run = fc.asyncProperty(fc.array(client, { minLength: 1, maxLength: 12 }), async (clients) => {
      const before = subgraph.requests.length;
      const outcomes = await Promise.all(
        clients.map(({ user, body }) => {
          const headers =
            user === null
              ? { key: '', pairs: [] }
              : { key: `13:authorization1:${user}`, pairs: ['authorization', user] };
          return sendRequest(under.client, under.request({ body, headers })).outcome;
        }),
      );

      expect(outcomes.map((outcome) => ('data' in outcome ? outcome.data : outcome))).toEqual(
        clients.map(({ user, body }) => ({ for: user, body })),
      );
      const distinct = new Set(clients.map(({ user, body }) => `${user} ${body}`));
      expect(subgraph.requests.length - before).toBe(distinct.size);
    });
    await fc.assert(run, { numRuns: 30 });
  });
});
