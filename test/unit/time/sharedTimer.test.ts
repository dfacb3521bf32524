import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SharedTimer, type TimedTask } from '../../../gateway/time/sharedTimer.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

class Task implements TimedTask {
  dueAt: number;
  position = -1;
  readonly firedAt: number[] = [];
  readonly #onDue: (task: Task) => void;

  constructor(dueAt: number, onDue: (task: Task) => void) {
    this.dueAt = dueAt;
    this.#onDue = onDue;
  }

  onDue(now: number): void {
    this.firedAt.push(now);
    this.#onDue(this);
  }
}

const delayMs = fc.oneof(fc.nat(50), fc.double({ min: 0, max: 50, noNaN: true }), fc.constant(Infinity));
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), delayMs }),
  fc.record({ do: fc.constant('update' as const), which: fc.nat(20), delayMs }),
  fc.record({ do: fc.constant('remove' as const), which: fc.nat(20) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.nat(30) }),
);

test('for any sequence of events, each task is due once, within a millisecond, and only while it is part of the timer', () => {
  const run = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const clock = new FakeTimers();
    const timer = new SharedTimer<Task>(clock);
    const tasks: Task[] = [];
    const onDue = (task: Task): void => {
      expect(clock.now()).toBeGreaterThanOrEqual(task.dueAt);
      expect(clock.now()).toBeLessThanOrEqual(task.dueAt + 1);
      timer.remove(task);
    };
    const waiting = new Set<Task>();

    for (const one of steps) {
      const task = 'which' in one ? tasks[one.which] : undefined;
      if (one.do === 'add') {
        const added = new Task(clock.now() + one.delayMs, onDue);
        tasks.push(added);
        waiting.add(added);
        timer.add(added);
      } else if (one.do === 'advance') {
        clock.advance(one.ms);
      } else if (task !== undefined && one.do === 'remove') {
        timer.remove(task);
        waiting.delete(task);
      } else if (one.do === 'update' && task !== undefined && waiting.has(task)) {
        task.dueAt = clock.now() + one.delayMs;
        timer.update(task);
      }
      for (const known of waiting) {
        const isOverdue = known.dueAt <= clock.now();
        if (one.do === 'advance' && isOverdue) waiting.delete(known);
      }
      for (const known of tasks) expect(known.firedAt.length).toBeLessThanOrEqual(1);
      expect(new Set(timer.tasks)).toEqual(waiting);
      if (waiting.size === 0) expect(clock.pendingCount).toBe(0);
    }
  });
  fc.assert(run, { numRuns: 300 });
});

test('a timer that is set for an earlier task replaces the one before', () => {
  const clock = new FakeTimers();
  const timer = new SharedTimer<Task>(clock);
  const tasks = [20, 10].map((delayMs) => new Task(delayMs, (task) => timer.remove(task)));
  for (const task of tasks) timer.add(task);
  expect(clock.pendingCount).toBe(1);
  clock.advance(10);
  expect([tasks.map(({ firedAt }) => firedAt.length), clock.pendingCount]).toEqual([[0, 1], 1]);
  for (const task of tasks) timer.remove(task);
  expect(clock.pendingCount).toBe(0);
});

test('a task that an earlier one removes, or gives more time, is not due', () => {
  const clock = new FakeTimers();
  const timer = new SharedTimer<Task>(clock);
  const ends = (task: Task): void => timer.remove(task);
  const removed = new Task(clock.now() + 5, ends);
  const delayed = new Task(clock.now() + 5, ends);
  const first = new Task(clock.now() + 5, (task) => {
    timer.remove(removed);
    delayed.dueAt += 10;
    timer.update(delayed);
    timer.remove(task);
  });
  for (const task of [first, removed, delayed]) timer.add(task);

  clock.advance(5);
  expect([first, removed, delayed].map(({ firedAt }) => firedAt.length)).toEqual([1, 0, 0]);
  clock.advance(10);
  expect([first, removed, delayed].map(({ firedAt }) => firedAt.length)).toEqual([1, 0, 1]);
});
