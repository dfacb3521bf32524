import { describe, expect, test } from '@jest/globals';
import type { IncrementalFormat } from '../../../gateway/operation/operationRequest.ts';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { IncrementalResponse } from '../../../gateway/response/incrementalResponse.ts';
import { ResponseShaper } from '../../../gateway/response/responseShaper.ts';
import { resolveInSlices } from '../../../gateway/time/slicedTask.ts';
import { rootFetch } from '../../harness/fetchNodes.ts';
import { schemaOf } from '../../harness/normalize.ts';
import { prepareText } from '../../harness/prepareText.ts';
import { type RunningPlan, runPlan } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const schema = schemaOf('type Query { a: Int b: Int c: Int }');

const plan: PlanNode = {
  kind: 'Defer',
  primary: { node: rootFetch('a', { serviceName: 'a' }) },
  deferred: [
    { depends: [], label: '1', queryPath: [], node: rootFetch('b', { serviceName: 'b' }) },
    { depends: [], label: '2', queryPath: [], node: rootFetch('c', { serviceName: 'c' }) },
  ],
};

interface Started {
  readonly response: IncrementalResponse;
  readonly shaper: ResponseShaper;
  readonly running: RunningPlan;
  ends: number;
  bring(field: 'a' | 'b' | 'c'): Promise<void>;
  payloads(): Promise<AsyncIterator<readonly string[]>>;
}

async function start(format: IncrementalFormat = 'deferSpec=20220824'): Promise<Started> {
  const operation = prepareText(schema, '{ a ... @defer(label: "b") { b } ... @defer(label: "c") { c } }');
  const running = runPlan(plan, { groupCount: operation.deferred.length + 1 });
  await waitForTurns();
  const { execution } = running;
  const policy = { exposeSubgraphErrors: false, exposeSubgraphs: false };
  const maxBytes = Number.POSITIVE_INFINITY;
  const shaper = new ResponseShaper({ operation, execution, policy, maxBytes });
  const started: Started = {
    running,
    shaper,
    ends: 0,
    response: new IncrementalResponse({
      operation,
      execution,
      shaper,
      format,
      reportsTimes: false,
      onEnd: () => {
        started.ends += 1;
      },
    }),
    bring: async (field) => {
      const known = running.completedGroups.length;
      running.client.calls
        .find(({ request }) => request.subgraph === field)
        ?.answer({ data: { [field]: 1 } });
      await waitForTurns();
      for (const group of running.completedGroups.slice(known)) started.response.completeGroup(group);
    },
    payloads: async () => {
      const primary = await resolveInSlices(shaper.shapeFirst(new Set([0])));
      const outcome = await resolveInSlices(
        started.response.open({ ...primary, extensions: undefined, pending: [] }),
      );
      if (outcome?.kind !== 'incremental') throw new Error('The answer is one piece.');
      return outcome.payloads[Symbol.asyncIterator]();
    },
  };
  return started;
}

const first = '{"data":{"a":1},"hasNext":true}';
const later = (field: string, hasNext: boolean): string =>
  `{"incremental":[{"data":{"${field}":1},"path":[],"label":"${field}"}],"hasNext":${hasNext}}`;

describe('the payloads of an incremental response', () => {
  test('are delivered as their groups complete, after the first payload', async () => {
    const started = await start();
    await started.bring('a');
    const payloads = await started.payloads();
    expect(await payloads.next()).toEqual({ done: false, value: [first] });
    const next = payloads.next();
    await started.bring('c');
    expect(await next).toEqual({ done: false, value: [later('c', true)] });
    await started.bring('b');
    expect(await payloads.next()).toEqual({ done: false, value: [later('b', false)] });
    expect(await payloads.next()).toEqual({ done: true, value: undefined });
    expect(started.ends).toBe(1);
  });

  test('that are ready with the first payload are in its batch', async () => {
    const started = await start();
    await started.bring('b');
    await started.bring('a');
    const payloads = await started.payloads();
    expect(await payloads.next()).toEqual({ done: false, value: [first, later('b', true)] });
  });

  test('are created when they are read: a slow reader gets all that are ready in one batch', async () => {
    const started = await start();
    await started.bring('a');
    const payloads = await started.payloads();
    expect(await payloads.next()).toEqual({ done: false, value: [first] });
    await started.bring('c');
    // Not written yet, so what is there now is what the reader gets.
    started.running.execution.tree.c = 2;
    await started.bring('b');
    expect(await payloads.next()).toEqual({
      done: false,
      value: [later('b', true), later('c', false).replace('"c":1', '"c":2')],
    });
  });
});

test('a stream that is cut while its last payload is shaped ends with hasNext: false and without that payload', async () => {
  const started = await start();
  const { response, shaper, running } = started;
  await started.bring('a');
  await started.bring('b');
  const payloads = await started.payloads();
  await payloads.next();
  const fragment = shaper.shapeFragment.bind(shaper);
  shaper.shapeFragment = function* (...args) {
    response.endEarly();
    running.execution.release();
    return yield* fragment(...args);
  };
  await started.bring('c');
  expect(await payloads.next()).toEqual({ done: false, value: ['{"hasNext":false}'] });
  expect(await payloads.next()).toEqual({ done: true, value: undefined });
  expect(started.ends).toBe(1);
});

test('a stream that is cut while a payload of its first batch is shaped still has the first payload', async () => {
  const started = await start();
  const { response, shaper } = started;
  await started.bring('b');
  await started.bring('a');
  const payloads = await started.payloads();
  const fragment = shaper.shapeFragment.bind(shaper);
  shaper.shapeFragment = (...args) => {
    response.endEarly();
    return fragment(...args);
  };
  expect(await payloads.next()).toEqual({ done: false, value: [first, '{"hasNext":false}'] });
  expect(await payloads.next()).toEqual({ done: true, value: undefined });
});

test('a stream whose payload cannot be created throws, and ends', async () => {
  const started = await start();
  await started.bring('a');
  const payloads = await started.payloads();
  await payloads.next();
  started.shaper.shapeFragment = () => {
    throw new Error('A fault.');
  };
  await started.bring('b');
  await expect(payloads.next()).rejects.toThrow('A fault.');
  expect(started.ends).toBe(1);
  expect(await payloads.next()).toEqual({ done: true, value: undefined });
});

describe('a reader that calls return()', () => {
  test('while next() is pending ends the wait and the stream, once', async () => {
    const started = await start();
    await started.bring('a');
    const payloads = await started.payloads();
    await payloads.next();
    const waiting = payloads.next();
    expect(await payloads.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    await payloads.return?.();
    expect(started.ends).toBe(1);
  });
});

describe('a stream that endEarly() cuts', () => {
  test('still has a last payload', async () => {
    const started = await start();
    await started.bring('a');
    const payloads = await started.payloads();
    await payloads.next();
    const waiting = payloads.next();
    started.response.endEarly();
    expect(await waiting).toEqual({ done: false, value: ['{"hasNext":false}'] });
    expect(await payloads.next()).toEqual({ done: true, value: undefined });
    expect(started.ends).toBe(1);
  });

  test('before its first payload is read still has that payload', async () => {
    const started = await start();
    await started.bring('a');
    const payloads = await started.payloads();
    started.response.endEarly();
    expect(await payloads.next()).toEqual({ done: false, value: [first, '{"hasNext":false}'] });
    expect(await payloads.next()).toEqual({ done: true, value: undefined });
  });

  test('after its end has no further payload', async () => {
    const started = await start();
    for (const field of ['a', 'b', 'c'] as const) await started.bring(field);
    const payloads = await started.payloads();
    expect((await payloads.next()).value).toHaveLength(3);
    started.response.endEarly();
    expect(await payloads.next()).toEqual({ done: true, value: undefined });
    expect(started.ends).toBe(1);
  });
});
