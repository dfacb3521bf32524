import { describe, expect, test } from '@jest/globals';
import { bytes, json, runAfter } from '../../harness/scriptedSubgraph.ts';
import { attemptTimeoutMs, createClientFixture, describeFailure, ok, okResponse } from './clientFixture.ts';
import { subgraph } from './subgraphPerTest.ts';

describe('the time limits of a call', () => {
  test('end an attempt that takes too long, and its connection', async () => {
    await using under = createClientFixture(subgraph.url);
    const answer = under.send();
    await subgraph.waitForRequests(1);

    under.clock.advance(attemptTimeoutMs - 1);
    expect(answer.callCount()).toBe(0);
    under.clock.advance(1);

    expect(await describeFailure(answer)).toMatchObject({ code: 'SUBGRAPH_TIMEOUT', subgraph: 'reviews' });
    await subgraph.requests[0]!.connectionClosed;
  });

  test('apply to a response that stops halfway', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(bytes('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"data":'));
    const answer = under.send();
    await subgraph.waitForRequests(1);

    under.clock.advance(attemptTimeoutMs);

    expect(await describeFailure(answer)).toMatchObject({ code: 'SUBGRAPH_TIMEOUT' });
  });

  test('report an earlier deadline with its own code', async () => {
    await using under = createClientFixture(subgraph.url);
    const answer = under.send({ deadline: under.clock.now() + 100 });
    await subgraph.waitForRequests(1);

    under.clock.advance(100);

    expect(await describeFailure(answer)).toMatchObject({ code: 'DEADLINE_EXCEEDED', subgraph: 'reviews' });
    await subgraph.requests[0]!.connectionClosed;
  });

  test('prevent a request whose deadline has passed from being sent', async () => {
    await using under = createClientFixture(subgraph.url);

    const answer = under.send({ deadline: under.clock.now() });

    expect(answer.callCount()).toBe(0);
    expect(await describeFailure(answer)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(subgraph.requests.length).toBe(0);
  });

  test('include waiting for a free connection, and the overdue request is never sent', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    const first = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(first.promise, json(ok)));
    subgraph.setDefaultScript(json(ok));
    const leading = under.send({ body: '1' });
    const waiting = under.send({ body: '2', deadline: under.clock.now() + 100 });
    await subgraph.waitForRequests(1);

    under.clock.advance(100);
    expect(await describeFailure(waiting)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    first.resolve();

    expect(await leading.outcome).toEqual(okResponse);
    expect(await under.send({ body: '3' }).outcome).toEqual(okResponse);
    expect(subgraph.requests.map((request) => request.body)).toEqual(['1', '3']);
  });

  test('leave no timer running after the response', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json(ok));

    const answer = under.send();
    expect(under.clock.pendingCount).toBe(1);
    await answer.outcome;

    expect(under.clock.pendingCount).toBe(0);
  });
});
