import { describe, expect, test } from '@jest/globals';
import { RequestAbort, toAbortSignal } from '../../../gateway/time/requestAbort.ts';

const reason = new Error('The client has left.');

describe('the abort of a request', () => {
  test('calls every listener that was not removed, once and in order, with the reason set', () => {
    const abort = new RequestAbort();
    const calls: unknown[] = [];
    const removed = (): void => void calls.push('removed');
    abort.addEventListener('abort', () => calls.push(['first', abort.aborted, abort.reason]));
    abort.addEventListener('abort', removed);
    abort.addEventListener('abort', () => calls.push('second'));
    abort.removeEventListener('abort', removed);
    expect([abort.aborted, abort.reason]).toStrictEqual([false, undefined]);
    abort.abort(reason);
    abort.abort(new Error('Another one.'));
    expect(calls).toEqual([['first', true, reason], 'second']);
    expect(abort.reason).toBe(reason);
  });

  test('calls the other listeners when one removes itself, and none that was added after it', () => {
    const abort = new RequestAbort();
    const calls: string[] = [];
    const once = (): void => {
      abort.removeEventListener('abort', once);
      calls.push('once');
    };
    abort.addEventListener('abort', once);
    abort.addEventListener('abort', () => calls.push('next'));
    abort.abort(reason);
    abort.addEventListener('abort', () => calls.push('late'));
    expect(calls).toEqual(['once', 'next']);
  });

  test('does not call a listener that another one removes', () => {
    const abort = new RequestAbort();
    const calls: string[] = [];
    const second = (): void => void calls.push('second');
    abort.addEventListener('abort', () => {
      calls.push('first');
      abort.removeEventListener('abort', second);
    });
    abort.addEventListener('abort', second);
    abort.abort(reason);
    expect(calls).toEqual(['first']);
  });

  test('reaches code that needs an AbortSignal, before and after', () => {
    const abort = new RequestAbort();
    const signal = toAbortSignal(abort);
    expect(signal.aborted).toBe(false);
    abort.abort(reason);
    expect([signal.aborted, signal.reason]).toEqual([true, reason]);
    expect(toAbortSignal(abort).reason).toBe(reason);
    expect(toAbortSignal(signal)).toBe(signal);
  });
});
