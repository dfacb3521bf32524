import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import type { FetchCall } from '../../../gateway/execution/fetchCall.ts';
import { SubgraphFetchSender } from '../../../gateway/execution/subgraphFetchSender.ts';
import type { FetchNode } from '../../../gateway/planning/queryPlan.ts';
import { FakeSubgraphClient } from '../../harness/fakeSubgraphClient.ts';
import { createFetchCall, rootFetch, shapeOf } from '../../harness/fetchNodes.ts';

const circuitOpen = new GatewayError('CIRCUIT_OPEN', 'open');

/** Sends the fetch of three fields and refuses it, because one of them has an open circuit. */
function refuse(options: Partial<FetchNode> = {}, more: Partial<FetchCall> = {}) {
  const client = new FakeSubgraphClient();
  const sender = new SubgraphFetchSender(client, { acrossRequests: false, maxBatchSize: 100 });
  const operation = `${options.operationKind ?? 'query'} Q($n:Int) { a: sound(n:$n) broken b: sound quiet }`;
  const shape = shapeOf(rootFetch('', { operation, variableUsages: ['n'], ...options }));
  const call = createFetchCall([], { shape, ...more });
  let isDone = false;
  const onDone = (): void => {
    isDone = true;
  };
  const cancel = sender.sendRoot({ call, onDone });
  client.calls[0]?.receiver.onError(circuitOpen);
  return { client, call, cancel, isDone: () => isDone };
}

describe('a query of several root fields, one of which has an open circuit,', () => {
  test('is divided by fields, and each has its own result', () => {
    const { client, call, isDone } = refuse();
    const [, sound, broken, quiet] = client.calls;
    expect(client.calls.slice(1).map(({ request }) => [...(request.coordinates ?? [])])).toEqual([
      [
        ['a', ['Query.sound']],
        ['b', ['Query.sound']],
      ],
      [['broken', ['Query.broken']]],
      [['quiet', ['Query.quiet']]],
    ]);
    expect(sound?.body.query).toContain('$n');
    expect(broken?.body.query).not.toContain('$n');
    broken?.receiver.onError(circuitOpen);
    quiet?.answer({ data: null, errors: [{ message: 'quiet has failed' }], isEscapeFree: false });
    expect(isDone()).toBe(false);
    sound?.answer({
      data: { a: 1, b: 2 },
      errors: [{ message: 'b', path: ['b', 'x'] }, { message: 'slow' }],
      isEscapeFree: true,
    });
    expect(call.results).toMatchObject([
      {
        kind: 'completed',
        data: { a: 1, b: 2, broken: null, quiet: null },
        isEscapeFree: false,
        errors: [
          { entry: { message: 'b' }, path: ['b', 'x'] },
          { entry: { message: 'slow' }, path: [] },
          { entry: circuitOpen, path: ['broken'] },
          { entry: { message: 'quiet has failed' }, path: ['quiet'] },
        ],
      },
    ]);
    expect(isDone()).toBe(true);
  });

  test('is not stored when its parts disagree about caching', () => {
    const { client, call } = refuse();
    const [, ...parts] = client.calls;
    for (const [n, part] of parts.entries()) part.answer({ data: {}, cacheControl: `max-age=${n}` });
    expect(call.results).toMatchObject([{ metadata: { cacheControl: 'no-store', hasCookies: false } }]);
  });

  test('has a cookie when one of its parts has one', () => {
    const { client, call } = refuse();
    const [, sound, ...others] = client.calls;
    for (const part of others) part.answer({ data: {}, clientHeaders: ['set-cookie', 'a=1'] });
    sound?.answer({ data: {} });
    expect(call.results).toMatchObject([{ metadata: { cacheControl: 'no-store', hasCookies: true } }]);
  });

  test('fails with the open circuit when all fields have one', () => {
    const { client, call } = refuse();
    for (const { receiver } of client.calls.slice(1)) receiver.onError(circuitOpen);
    expect(call.results).toEqual([{ kind: 'failed', error: circuitOpen }]);
  });

  test('is cancelled with all of its parts', () => {
    const { client, cancel } = refuse();
    cancel();
    expect(client.calls.map(({ isCancelled }) => isCancelled)).toEqual([true, true, true, true]);
  });
});

test('a mutation with an open circuit among its fields is not divided', () => {
  const { client, call } = refuse({ operationKind: 'mutation' });
  expect(client.calls).toHaveLength(1);
  expect(call.results).toEqual([{ kind: 'failed', error: circuitOpen }]);
});

test('the error of one root field is reported at all others that it made null, and not at `__typename`', () => {
  const client = new FakeSubgraphClient();
  const sender = new SubgraphFetchSender(client, { acrossRequests: false, maxBatchSize: 100 });
  const call = createFetchCall([], { shape: shapeOf(rootFetch('__typename a b')) });
  sender.sendRoot({ call, onDone: () => {} });
  client.calls[0]?.answer({ data: null, errors: [{ message: 'no', path: ['a', 0] }] });
  expect(call.results).toMatchObject([{ errors: [{ path: ['a', 0] }, { path: ['b'] }] }]);
});
