import type { LoadSupergraphContext } from '../../config/sections/supergraph.ts';
import { messageOf } from '../../errors.ts';
import { backoffDelayMs } from '../../time/backoffDelayMs.ts';
import type { Timers } from '../../time/timers.ts';
import { UnavailableError } from './httpRequest.ts';
import { pollRepeatedly } from './pollRepeatedly.ts';
import type { SupergraphSource, SupergraphSourceListener } from './supergraphSource.ts';

interface PollingSourceOptions {
  /** Reads the SDL; `undefined` if it has not changed. Rejects with a message for the operator. */
  readonly read: (context: LoadSupergraphContext) => Promise<string | undefined>;
  /** Time from the end of one poll to the start of the next. `undefined`: no poll after the first SDL. */
  readonly pollIntervalMs: number | undefined;
  readonly timers?: Timers;
  readonly random?: () => number;
}

/** Delays of further polls while there is no SDL yet. `pollIntervalMs` is the longest one, if set. */
const retryBackoff = { minDelay: 500, maxDelay: 30_000 };

/** A source that reads its SDL again and again. Until the first SDL it retries with backoff. An outage is reported once,
 *  however its errors differ; any other problem when it changes. */
export function createPollingSource(options: PollingSourceOptions): SupergraphSource {
  const { read, pollIntervalMs, timers, random } = options;
  let lastSdl: string | undefined;
  let lastProblem: string | undefined;
  let failures = 0;

  const poll = async (listener: SupergraphSourceListener, signal: AbortSignal): Promise<void> => {
    const submit = (sdl: string): void => {
      if (signal.aborted) return;
      const isNew = sdl !== lastSdl || lastProblem !== undefined;
      lastSdl = sdl;
      lastProblem = undefined;
      if (isNew) listener.onSdl(sdl);
    };
    try {
      const sdl = (await read({ previous: lastSdl, signal, update: submit })) ?? lastSdl;
      failures = 0;
      if (sdl !== undefined) submit(sdl);
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      const problem = error instanceof UnavailableError ? 'unavailable' : messageOf(error);
      if (problem !== lastProblem) listener.onProblem(messageOf(error));
      lastProblem = problem;
    }
  };

  const nextDelayMs = (): number | undefined => {
    if (failures === 0 || lastSdl !== undefined) return pollIntervalMs;
    const { minDelay, maxDelay } = retryBackoff;
    return backoffDelayMs(failures, { minDelay, maxDelay: pollIntervalMs ?? maxDelay }, random);
  };

  return pollRepeatedly({ poll, nextDelayMs, timers });
}
