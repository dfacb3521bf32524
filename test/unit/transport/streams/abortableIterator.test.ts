import { describe, expect, test } from '@jest/globals';
import { AbortableIterator } from '../../../../gateway/transport/streams/abortableIterator.ts';

/** An iterator whose steps the test answers, and which counts how often it was ended. */
function scripted() {
  const steps: PromiseWithResolvers<IteratorResult<number>>[] = [];
  const iterator = {
    ends: 0,
    next: () => {
      const step = Promise.withResolvers<IteratorResult<number>>();
      steps.push(step);
      return step.promise;
    },
    return: () => {
      iterator.ends += 1;
      return Promise.reject(new Error('No caller receives this error.'));
    },
  };
  return { iterator, steps };
}

describe('AbortableIterator', () => {
  test('returns the steps and errors of the iterator', async () => {
    const { iterator, steps } = scripted();
    const abortable = new AbortableIterator(iterator, new AbortController().signal);
    const first = abortable.next();
    steps[0]?.resolve({ done: false, value: 1 });
    expect(await first).toEqual({ done: false, value: 1 });
    const second = abortable.next();
    steps[1]?.reject(new Error('over'));
    await expect(second).rejects.toThrow('over');
    expect(iterator.ends).toBe(0);
  });

  test('ends the iterator and resolves a pending step when the signal is aborted', async () => {
    const { iterator } = scripted();
    const controller = new AbortController();
    const abortable = new AbortableIterator(iterator, controller.signal);
    const pending = abortable.next();
    controller.abort();
    expect([await pending, await abortable.next(), iterator.ends]).toEqual(['aborted', 'aborted', 1]);
  });

  test('requests no step when the signal is already aborted', async () => {
    const { iterator, steps } = scripted();
    const abortable = new AbortableIterator(iterator, AbortSignal.abort());
    expect([await abortable.next(), iterator.ends, steps.length]).toEqual(['aborted', 1, 0]);
    await abortable.waitFor(new Promise(() => undefined));
  });

  test('waits for another event until the signal is aborted', async () => {
    const controller = new AbortController();
    const abortable = new AbortableIterator(scripted().iterator, controller.signal);
    await abortable.waitFor(Promise.resolve());
    const waiting = abortable.waitFor(new Promise(() => undefined));
    controller.abort();
    await waiting;
  });

  test('does not end the iterator for an abort after release', () => {
    const { iterator } = scripted();
    const controller = new AbortController();
    new AbortableIterator(iterator, controller.signal).release();
    controller.abort();
    expect(iterator.ends).toBe(0);
  });
});
