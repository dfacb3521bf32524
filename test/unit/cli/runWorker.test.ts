import { afterEach, expect, test } from '@jest/globals';
import { runWorker } from '../../../gateway/cli/runWorker.ts';

const events = ['SIGINT', 'SIGHUP', 'message'] as const;
const { send } = process;
const before = new Map(events.map((event) => [event, process.listeners(event as 'SIGINT')]));

afterEach(() => {
  if (send === undefined) Reflect.deleteProperty(process, 'send');
  else process.send = send;
  for (const event of events)
    for (const listener of process.listeners(event as 'SIGINT'))
      if (!before.get(event)?.includes(listener)) process.off(event, listener);
});

test('a worker whose supervisor has ended meanwhile handles the error of its report', () => {
  const reports: unknown[][] = [];
  process.send = (...args: unknown[]) => {
    reports.push(args);
    return false;
  };
  void runWorker(undefined, () => {});
  // Without a callback, Node emits the error, which nothing handles.
  expect(reports).toEqual([[{ kind: 'tributary:started' }, undefined, undefined, expect.any(Function)]]);
});
