import { type CancelTimer, systemTimers, type Timers } from '../../time/timers.ts';
import type { SupergraphSource, SupergraphSourceListener } from './supergraphSource.ts';

interface PollOptions {
  /** One poll. It reports to the listener and never rejects. After `signal` has been aborted it reports nothing. */
  readonly poll: (listener: SupergraphSourceListener, signal: AbortSignal) => Promise<void>;
  /** Milliseconds from the end of one poll to the start of the next; `undefined`: no further poll. */
  readonly nextDelayMs: () => number | undefined;
  readonly timers?: Timers | undefined;
}

/** A source that polls: at once when it is started, then after each delay. `stop` aborts the poll under way and waits for
 *  its end. */
export function pollRepeatedly({ poll, nextDelayMs, timers = systemTimers }: PollOptions): SupergraphSource {
  const stopped = new AbortController();
  const { signal } = stopped;
  let polling: Promise<void> = Promise.resolve();
  let cancelPoll: CancelTimer | undefined;

  const schedulePoll = (listener: SupergraphSourceListener): void => {
    const delayMs = nextDelayMs();
    if (signal.aborted || delayMs === undefined) return;
    cancelPoll = timers.after(delayMs, () => {
      polling = poll(listener, signal).then(() => schedulePoll(listener));
    });
  };

  return {
    start: async (listener) => {
      polling = poll(listener, signal);
      await polling;
      schedulePoll(listener);
    },
    stop: async () => {
      stopped.abort();
      cancelPoll?.();
      await polling;
    },
  };
}
