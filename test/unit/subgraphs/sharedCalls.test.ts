import { describe, expect, test } from '@jest/globals';
import { json, reset, runAfter } from '../../harness/scriptedSubgraph.ts';
import { createClientFixture, describeFailure, ok, okResponse } from './clientFixture.ts';
import { subgraph } from './subgraphPerTest.ts';

describe('equal queries in flight', () => {
  test('are sent once, and each receiver gets a copy of the response', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json({ data: { list: [1] } }));

    const answers = [under.send({ requestId: 'a' }), under.send({ requestId: 'b' })];
    const outcomes = await Promise.all(answers.map((answer) => answer.outcome));

    expect(outcomes).toEqual([
      { ...okResponse, data: { list: [1] } },
      { ...okResponse, data: { list: [1] } },
    ]);
    expect(outcomes[0]).not.toBe(outcomes[1]);
    expect('data' in outcomes[0]! && outcomes[0].data).not.toBe('data' in outcomes[1]! && outcomes[1].data);
    expect(subgraph.requests.map((request) => request.headers.get('x-request-id'))).toEqual(['a']);
  });

  test.each([
    ['sharing is off', { sharesInFlightCalls: false }, {}],
    ['they are mutations', {}, { kind: 'mutation' as const }],
  ])('are not shared if %s', async (_name, options, more) => {
    await using under = createClientFixture(subgraph.url, options);
    subgraph.setDefaultScript(json(ok));

    await Promise.all([under.send(more).outcome, under.send(more).outcome]);

    expect(subgraph.requests.length).toBe(2);
  });

  test('are not shared with a query that arrives after the response', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.setDefaultScript(json(ok));

    await under.send().outcome;
    await under.send().outcome;

    expect(subgraph.requests.length).toBe(2);
  });

  test('continue when one receiver is cancelled', async () => {
    await using under = createClientFixture(subgraph.url);
    const gate = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(gate.promise, json(ok)));
    const leader = under.send();
    const joiner = under.send();
    await subgraph.waitForRequests(1);

    leader.cancel();
    leader.cancel();
    gate.resolve();

    expect(await joiner.outcome).toEqual(okResponse);
    expect([leader.callCount(), joiner.callCount()]).toEqual([0, 1]);
  });

  test('end when the last receiver is cancelled', async () => {
    await using under = createClientFixture(subgraph.url);
    const answers = [under.send(), under.send()];
    await subgraph.waitForRequests(1);

    for (const answer of answers) answer.cancel();
    await subgraph.requests[0]!.connectionClosed;

    expect(answers.map((answer) => answer.callCount())).toEqual([0, 0]);
    expect(under.clock.pendingCount).toBe(0);
  });

  test('keep the deadline of each receiver', async () => {
    await using under = createClientFixture(subgraph.url);
    const gate = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(gate.promise, json(ok)));
    const now = under.clock.now();
    const leader = under.send({ deadline: now + 200 });
    const early = under.send({ deadline: now + 100 });
    const late = under.send({ deadline: now + 300 });
    await subgraph.waitForRequests(1);

    under.clock.advance(100);
    expect([leader, early, late].map((answer) => answer.callCount())).toEqual([0, 1, 0]);
    under.clock.advance(150);
    expect([leader, early, late].map((answer) => answer.callCount())).toEqual([1, 1, 0]);
    gate.resolve();

    expect(await describeFailure(early)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(await describeFailure(leader)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(await late.outcome).toEqual(okResponse);
    expect(subgraph.requests.length).toBe(1);
  });

  test('report a failure to every receiver', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(reset);

    const failures = await Promise.all([describeFailure(under.send()), describeFailure(under.send())]);

    expect(failures).toMatchObject([{ code: 'SUBGRAPH_UNREACHABLE' }, { code: 'SUBGRAPH_UNREACHABLE' }]);
  });

  test('reach the other receivers if one of them throws', async () => {
    const faults: unknown[] = [];
    await using under = createClientFixture(subgraph.url, { onReceiverFault: (fault) => faults.push(fault) });
    subgraph.enqueueScripts(json(ok));
    const fault = new Error('a fault of the executor');
    under.client.send(under.request(), {
      onResponse: () => {
        throw fault;
      },
      onError: (error) => faults.push(error),
    });

    expect(await under.send().outcome).toEqual(okResponse);
    expect(faults).toEqual([fault]);
  });

  test('allow a receiver to send again and to cancel others while it is called', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.setDefaultScript(json(ok));
    const second = Promise.withResolvers<unknown>();
    let cancelled: ReturnType<typeof under.send> | undefined;
    under.client.send(under.request(), {
      onResponse: () => {
        cancelled?.cancel();
        second.resolve(under.send().outcome);
      },
      onError: second.reject,
    });
    cancelled = under.send();

    expect(await second.promise).toEqual(okResponse);
    expect(cancelled.callCount()).toBe(0);
    expect(subgraph.requests.length).toBe(2);
  });
});
