import { describe, expect, jest, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import type { ExecutionObserver } from '../../../gateway/execution/executionObserver.ts';
import { collectGarbage } from '../../../gateway/memory/collectGarbage.ts';
import type { OperationRequest } from '../../../gateway/operation/operationRequest.ts';
import type { PreparedOperation } from '../../../gateway/operation/preparedOperation.ts';
import {
  type IncrementalOutcome,
  ResponseData,
  type SingleOutcome,
} from '../../../gateway/response/executionOutcome.ts';
import { SharedResponses } from '../../../gateway/response/sharedResponses.ts';
import { TextKey } from '../../../gateway/sharing/textMap.ts';
import type { RequestRecord } from '../../../gateway/telemetry/requestRecord.ts';
import { RequestAbort, type RequestSignal } from '../../../gateway/time/requestAbort.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

type Outcome = SingleOutcome | IncrementalOutcome;

const operation = {} as PreparedOperation;

/** One execution that the test ends. */
class FakeExecution {
  isStarted = true;
  hasEndedSteps = false;
  readonly signal: RequestSignal;
  readonly ended = Promise.withResolvers<Outcome>();

  constructor(signal: RequestSignal) {
    this.signal = signal;
    signal.addEventListener('abort', () => this.ended.reject(signal.reason));
  }

  answer(text: string, errors?: SingleOutcome['errors']): void {
    this.ended.resolve({
      kind: 'single',
      data: new ResponseData(text),
      errors,
      extensions: undefined,
      caching: undefined,
    });
  }
}

function createSharing() {
  const responses = new SharedResponses();
  const executions: FakeExecution[] = [];
  const send = ({ key = 'key', deadline = 1_000, observer, record }: SendOptions = {}) => {
    const leaving = new RequestAbort();
    const response = responses.respond({
      key: new TextKey('', key),
      operation,
      request: { signal: leaving as RequestSignal, record } as OperationRequest,
      deadline,
      start: (signal) => {
        const execution = new FakeExecution(signal);
        executions.push(execution);
        return { execution: execution as never, outcome: execution.ended.promise };
      },
      observe: () => observer,
    });
    // A test may look at the failure later.
    response.catch(() => {});
    return { response, leave: () => leaving.abort(new Error('The client has left.')), leaving };
  };
  const countJoins = (): number => responses.joinCount;
  return { send, executions, countJoins };
}

interface SendOptions {
  readonly key?: string;
  readonly deadline?: number;
  readonly observer?: ExecutionObserver;
  readonly record?: RequestRecord;
}

const textOf = async (response: Promise<Outcome>) => ((await response) as SingleOutcome).data?.take();

describe('equal requests', () => {
  test('share one execution, and each gets the data', async () => {
    const { send, executions, countJoins } = createSharing();
    const sent = [send(), send(), send()];
    expect(executions).toHaveLength(1);
    executions[0]?.answer('{"a":1}');
    expect(await Promise.all(sent.map(({ response }) => textOf(response)))).toEqual(
      sent.map(() => '{"a":1}'),
    );
    expect(countJoins()).toBe(2);
  });

  test('with another key, or after the response, have an execution of their own', async () => {
    const { send, executions } = createSharing();
    const first = send();
    send({ key: 'other' });
    executions[0]?.answer('1');
    await first.response;
    send();
    expect(executions).toHaveLength(3);
  });

  test('do not join once a fetch has ended, and then share among themselves', async () => {
    const { send, executions, countJoins } = createSharing();
    const first = send();
    (executions[0] as FakeExecution).hasEndedSteps = true;
    const second = send();
    const third = send();
    executions[1]?.answer('2');
    executions[0]?.answer('1');
    expect(await textOf(first.response)).toBe('1');
    expect(await textOf(second.response)).toBe('2');
    expect(await textOf(third.response)).toBe('2');
    expect(countJoins()).toBe(1);
  });

  test('continue when the first client disconnects, and end with the last one', async () => {
    const { send, executions } = createSharing();
    const [first, second, third] = [send(), send(), send()];
    first.leave();
    await expect(first.response).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
    third.leave();
    expect(executions[0]?.signal.aborted).toBe(false);
    second.leave();
    expect(executions[0]?.signal.aborted).toBe(true);
    // The cancelled execution is not joined, although its end is still to be handled.
    send();
    expect(executions).toHaveLength(2);
    await expect(second.response).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
  });

  test.each(['answered', 'left'])(
    'record the wait for another one as a fetch, until it is %s',
    async (how) => {
      const { send, executions } = createSharing();
      const record = { startFetch: jest.fn(), endFetch: jest.fn() };
      send();
      const joined = send({ record: record as unknown as RequestRecord });
      await waitForTurns();
      expect([record.startFetch.mock.calls.length, record.endFetch.mock.calls.length]).toEqual([1, 0]);
      if (how === 'answered') executions[0]?.answer('1');
      else joined.leave();
      await joined.response.catch(() => {});
      expect([record.startFetch.mock.calls.length, record.endFetch.mock.calls.length]).toEqual([1, 1]);
    },
  );

  test('fail together when the execution fails', async () => {
    const { send, executions } = createSharing();
    const sent = [send(), send()];
    executions[0]?.ended.reject(new GatewayError('OVERLOADED', 'Try again later.'));
    for (const { response } of sent) await expect(response).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  test('that have more time than the first one are executed again when its time is over', async () => {
    const { send, executions } = createSharing();
    const [first, equal, later, last] = [
      send(),
      send(),
      send({ deadline: 1_010 }),
      send({ deadline: 1_020 }),
    ];
    const error = new GatewayError('DEADLINE_EXCEEDED', 'Too late.').toFormatted();
    executions[0]?.answer('null', [error]);
    expect(await first.response).toMatchObject({ errors: [error] });
    expect(await equal.response).toMatchObject({ errors: [error] });
    // The two others share the second execution.
    expect(executions).toHaveLength(2);
    executions[1]?.answer('2');
    expect(await textOf(later.response)).toBe('2');
    expect(await textOf(last.response)).toBe('2');
  });
});

describe('equal requests that wait for their turn', () => {
  const tooLong = new GatewayError('OVERLOADED', 'Try again later.');
  const tooLate = new GatewayError('DEADLINE_EXCEEDED', 'Too late.');

  test.each([tooLong, tooLate])('try again together, all but the first one: $code', async (error) => {
    const { send, executions } = createSharing();
    const first = send();
    const later = Array.from({ length: 100 }, (_, n) => send({ deadline: 1_010 + n }));
    executions[0]?.ended.reject(error);
    await expect(first.response).rejects.toBe(error);
    await waitForTurns();
    expect(executions).toHaveLength(2);
    executions[1]?.answer('2');
    for (const { response } of later) expect(await textOf(response)).toBe('2');
    expect(executions).toHaveLength(2);
  });

  test('try again once in an overloaded queue', async () => {
    const { send, executions } = createSharing();
    const [first, second, third] = [send(), send({ deadline: 1_010 }), send({ deadline: 1_020 })];
    executions[0]?.ended.reject(tooLong);
    await expect(first.response).rejects.toBe(tooLong);
    await waitForTurns();
    const last = send({ deadline: 1_030 });
    executions[1]?.ended.reject(tooLong);
    await expect(second.response).rejects.toBe(tooLong);
    await expect(third.response).rejects.toBe(tooLong);
    await waitForTurns();
    executions[2]?.answer('3');
    expect(await textOf(last.response)).toBe('3');
  });

  test('try again until their own deadline', async () => {
    const { send, executions } = createSharing();
    const [first, second, third] = [send(), send({ deadline: 1_010 }), send({ deadline: 1_020 })];
    executions[0]?.ended.reject(tooLate);
    await expect(first.response).rejects.toBe(tooLate);
    await waitForTurns();
    executions[1]?.ended.reject(tooLate);
    await expect(second.response).rejects.toBe(tooLate);
    await waitForTurns();
    executions[2]?.answer('3');
    expect(await textOf(third.response)).toBe('3');
  });

  test('do not try again after another failure', async () => {
    const { send, executions } = createSharing();
    const sent = [send(), send({ deadline: 1_010 })];
    executions[0]?.ended.reject(new Error('A fault.'));
    for (const { response } of sent) await expect(response).rejects.toThrow('A fault.');
    expect(executions).toHaveLength(1);
  });
});

describe('the observer of a request that joins', () => {
  function createObserver() {
    const events: unknown[] = [];
    const observer: ExecutionObserver = {
      onStepStart: () => events.push('step'),
      onStepEnd: () => events.push('step'),
      onResponseReady: () => events.push('ready'),
      onFirstPayload: () => events.push('first payload'),
      onResponseEnd: ({ isComplete, hasErrors }) => events.push({ isComplete, hasErrors }),
    };
    return { events, observer };
  }

  test('sees its response, and no steps', async () => {
    const { send, executions } = createSharing();
    const { events, observer } = createObserver();
    const first = send({ observer });
    const joined = send({ observer });
    executions[0]?.answer('1');
    await Promise.all([first.response, joined.response]);
    expect(events).toEqual(['ready', { isComplete: true, hasErrors: false }]);
  });

  test('sees that its client has left', async () => {
    const { send } = createSharing();
    const { events, observer } = createObserver();
    send();
    const joined = send({ observer });
    joined.leave();
    await expect(joined.response).rejects.toThrow();
    expect(events).toEqual([{ isComplete: false, hasErrors: false }]);
  });

  test('sees a failure of an execution that has started', async () => {
    const { send, executions } = createSharing();
    const { events, observer } = createObserver();
    send();
    const joined = send({ observer });
    executions[0]?.ended.reject(new Error('A fault.'));
    await expect(joined.response).rejects.toThrow('A fault.');
    expect(events).toEqual([{ isComplete: false, hasErrors: false }]);
  });

  test('sees nothing of an execution that has not started, whether it fails or the client leaves', async () => {
    const { send, executions } = createSharing();
    const { events, observer } = createObserver();
    send();
    const [execution] = executions as [FakeExecution];
    execution.isStarted = false;
    const [left, failed] = [send({ observer }), send({ observer })];
    left.leave();
    await expect(left.response).rejects.toThrow();
    execution.ended.reject(new GatewayError('OVERLOADED', 'Too many requests wait.'));
    await expect(failed.response).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(events).toEqual([]);
  });
});

describe('payloads of equal requests', () => {
  /** Payloads that the test sends one by one. */
  function createPayloads() {
    const waiting: PromiseWithResolvers<readonly string[]>[] = [];
    let [created, isReturned] = [0, false];
    const outcome: IncrementalOutcome = {
      kind: 'incremental',
      payloads: {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            const next = Promise.withResolvers<readonly string[]>();
            waiting.push(next);
            // Not the list that the test has.
            return { done: false, value: [...(await next.promise)] };
          },
          return: async () => {
            isReturned = true;
            return { done: true, value: undefined };
          },
        }),
      },
      firstErrors: undefined,
      hasErrors: () => false,
      isComplete: () => created === 3,
    };
    const push = (text: string): void => {
      created += 1;
      waiting.at(-1)?.resolve([text]);
    };
    const fail = (fault: Error): void => waiting.at(-1)?.reject(fault);
    return { outcome, push, fail, isReturned: () => isReturned };
  }

  const cut = { done: false, value: ['{"hasNext":false}'] };
  const read = async (response: Promise<Outcome>) =>
    ((await response) as IncrementalOutcome).payloads[Symbol.asyncIterator]();

  test('reach each of them at its own pace', async () => {
    const { send, executions } = createSharing();
    const sent = [send(), send()];
    const { outcome, push } = createPayloads();
    executions[0]?.ended.resolve(outcome);
    const [fast, slow] = await Promise.all(sent.map(({ response }) => read(response)));
    for (const text of ['1', '2', '3']) {
      const next = fast?.next();
      push(text);
      expect(await next).toEqual({ done: false, value: [text] });
    }
    expect(await fast?.next()).toEqual({ done: true, value: undefined });
    for (const text of ['1', '2', '3']) expect(await slow?.next()).toEqual({ done: false, value: [text] });
    // It has the last payload: there is nothing to cut.
    sent[1]?.leave();
    expect(await slow?.next()).toEqual({ done: true, value: undefined });
  });

  test('are garbage when each of them has read them', async () => {
    const { send, executions } = createSharing();
    const sent = [send(), send()];
    const { outcome, push } = createPayloads();
    executions[0]?.ended.resolve(outcome);
    const readers = await Promise.all(sent.map(({ response }) => read(response)));
    // A function of its own, so that the test holds no reference to the batch.
    const readNext = async (text: string) => {
      const next = readers.map((reader) => reader.next());
      push(text);
      const [batch] = await Promise.all(next);
      return new WeakRef(batch?.value as readonly string[]);
    };
    const first = await readNext('1');
    await readNext('2');
    await waitForTurns();
    collectGarbage('regular');
    expect(first.deref()).toBeUndefined();
    const last = readers.map((reader) => reader.next());
    push('3');
    expect(await Promise.all(last)).toEqual([
      { done: false, value: ['3'] },
      { done: false, value: ['3'] },
    ]);
  });

  test('continue for the others when one is aborted, which gets a last payload', async () => {
    const { send, executions } = createSharing();
    const sent = [send(), send()];
    const { outcome, push, isReturned } = createPayloads();
    executions[0]?.ended.resolve(outcome);
    const [one, two] = await Promise.all(sent.map(({ response }) => read(response)));
    const firsts = [one?.next(), two?.next()];
    push('1');
    await Promise.all(firsts);
    const pending = one?.next();
    sent[0]?.leave();
    expect(await pending).toEqual(cut);
    expect(await one?.next()).toEqual({ done: true, value: undefined });
    const second = two?.next();
    push('2');
    expect(await second).toEqual({ done: false, value: ['2'] });
    expect(isReturned()).toBe(false);
    await two?.return?.();
    expect(isReturned()).toBe(true);
  });

  test('end for each of them and its observer when an internal fault ends them', async () => {
    const { send, executions } = createSharing();
    const ends: unknown[] = [];
    const observer: ExecutionObserver = {
      onStepStart: () => {},
      onStepEnd: () => {},
      onResponseEnd: (end) => ends.push(end),
    };
    const sent = [send(), send({ observer })];
    const { outcome, push, fail } = createPayloads();
    executions[0]?.ended.resolve(outcome);
    const [one, two] = await Promise.all(sent.map(({ response }) => read(response)));
    const firsts = [one?.next(), two?.next()];
    push('1');
    await Promise.all(firsts);
    const seconds = [one?.next(), two?.next()];
    fail(new Error('fault'));
    for (const second of seconds) await expect(second).rejects.toThrow('fault');
    expect(ends).toEqual([{ isComplete: false, hasErrors: false }]);
    sent[1]?.leave();
    expect(await two?.next()).toEqual({ done: true, value: undefined });
    expect(ends).toHaveLength(1);
  });

  test('that end before the first one was read still begin with it', async () => {
    const { send, executions } = createSharing();
    const sent = [send(), send()];
    const { outcome, push } = createPayloads();
    executions[0]?.ended.resolve(outcome);
    const [one] = await Promise.all(sent.map(({ response }) => read(response)));
    sent[0]?.leave();
    const next = one?.next();
    push('1');
    expect(await next).toEqual({ done: false, value: ['1', '{"hasNext":false}'] });
  });

  test('of a request that shares with no other are those of its execution', async () => {
    const { send, executions } = createSharing();
    const sent = send();
    const { outcome } = createPayloads();
    executions[0]?.ended.resolve(outcome);
    expect(await sent.response).toBe(outcome);
    sent.leave();
    expect(executions[0]?.signal.aborted).toBe(true);
  });
});
