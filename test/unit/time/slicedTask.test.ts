import { describe, expect, jest, test } from '@jest/globals';
import { resolveInSlices, runInSlices, type SlicedTask } from '../../../gateway/time/slicedTask.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

/** Longer than the budget of one turn. */
function spendTurn(): void {
  const end = performance.now() + 12;
  while (performance.now() < end);
}

function* steps(name: string, count: number, log: string[]): SlicedTask<string> {
  for (let i = 1; i <= count; i++) {
    spendTurn();
    log.push(`${name}${i}`);
    if (i < count) yield;
  }
  return name;
}

describe('runInSlices', () => {
  test('a task that never yields is done before the call returns', () => {
    const log: string[] = [];
    runInSlices(steps('a', 1, log), (result) => log.push(`${result} done`), fail);
    expect(log).toEqual(['a1', 'a done']);
  });

  test('a short task that yields is done before the call returns', () => {
    const log: string[] = [];
    function* short(): SlicedTask {
      for (let i = 0; i < 20; i++) yield;
    }
    // A stalled machine makes the turn longer.
    const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now());
    runInSlices(short(), () => log.push('done'), fail);
    clock.mockRestore();
    expect(log).toEqual(['done']);
  });

  test('a long task lets other callbacks of the event loop run', async () => {
    const log: string[] = [];
    const work = resolveInSlices(steps('a', 4, log));
    const others = (async () => {
      for (let i = 1; i <= 3; i++) {
        await waitForTurns();
        log.push(`other${i}`);
      }
    })();
    expect(await work).toBe('a');
    await others;
    expect(log.filter((entry) => entry.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4']);
    expect(log.indexOf('other1')).toBeLessThan(log.indexOf('a3'));
    expect(log.indexOf('other2')).toBeLessThan(log.indexOf('a4'));
  });

  test('long tasks take turns and share the budget of each turn', async () => {
    const log: string[] = [];
    const both = Promise.all([resolveInSlices(steps('a', 3, log)), resolveInSlices(steps('b', 3, log))]);
    let turn = 0;
    const perTurn: number[] = [];
    while (log.length < 6) {
      const before = log.length;
      await waitForTurns();
      perTurn[turn++] = log.length - before;
    }
    expect(await both).toEqual(['a', 'b']);
    expect(Math.max(...perTurn)).toBe(1);
    expect(log.filter((entry) => entry.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
    expect(log.indexOf('b2')).toBeLessThan(log.indexOf('a3'));
  });

  test('an exception of a task is passed to fail, whenever it is thrown', async () => {
    function* failing(pauses: number): SlicedTask {
      for (let i = 0; i < pauses; i++) {
        spendTurn();
        yield;
      }
      throw new Error('out of order');
    }
    await expect(resolveInSlices(failing(0))).rejects.toThrow('out of order');
    await expect(resolveInSlices(failing(3))).rejects.toThrow('out of order');
  });

  test('a cancelled task does not continue and calls nothing', async () => {
    const log: string[] = [];
    const end = runInSlices(steps('a', 9, log), () => log.push('done'), fail);
    await waitForTurns();
    end();
    const sofar = [...log];
    await waitForTurns(20);
    expect(log).toEqual(sofar);
  });

  test('a task that throws after it has yielded fails once, and is not done', async () => {
    const log: string[] = [];
    const fault = new Error('a fault');
    function* failing(): SlicedTask {
      spendTurn();
      yield;
      spendTurn();
      throw fault;
    }
    for (let count = 0; count < 2; count++)
      runInSlices(
        failing(),
        () => log.push('done'),
        (error) => log.push(error === fault ? 'failed' : 'other'),
      );
    await waitForTurns(5);
    expect(log).toEqual(['failed', 'failed']);
  });
});

function fail(fault: unknown): never {
  throw fault;
}
