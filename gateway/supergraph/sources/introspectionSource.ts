import { type CancelTimer, systemTimers, type Timers } from '../../time/timers.ts';
import { composeRunningSubgraphs, type RunningSubgraph } from '../composeRunningSubgraphs.ts';
import { messageOf } from '../messageOf.ts';
import { SupergraphRefusedError } from '../supergraphRefusedError.ts';
import { fetchSubgraphSdl, type SubgraphAddress } from './fetchSubgraphSdl.ts';
import type { SupergraphSource, SupergraphSourceListener } from './supergraphSource.ts';

interface IntrospectionSourceOptions {
  readonly subgraphs: readonly SubgraphAddress[];
  /** From the end of one look to the start of the next, also after a failure. */
  readonly pollIntervalMs: number;
  /** Asks one subgraph for its SDL; rejects with what the operator should read. */
  readonly fetchSdl?: (address: SubgraphAddress, signal: AbortSignal) => Promise<string>;
  /** Subgraphs → supergraph SDL; rejects with the composer's message. */
  readonly compose?: (subgraphs: readonly RunningSubgraph[], signal: AbortSignal) => Promise<string>;
  readonly timers?: Timers;
}

const defaultFetch = { timeoutMs: 10_000, maxBytes: 32 * 1024 ** 2 };

/** A supergraph composed from running subgraphs, looked at again and again. It composes only when a
 *  subgraph's SDL differs from what was composed last, so that a quiet graph costs one small request each. */
export function createIntrospectionSource(options: IntrospectionSourceOptions): SupergraphSource {
  const {
    subgraphs,
    pollIntervalMs,
    fetchSdl = (address, signal) => fetchSubgraphSdl(address, signal, defaultFetch),
    compose = composeRunningSubgraphs,
    timers = systemTimers,
  } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  let listener: SupergraphSourceListener | undefined;
  let looking: Promise<void> = Promise.resolve();
  let cancelPoll: CancelTimer | undefined;
  let lastProblem: string | undefined;
  let composed: { readonly from: string; readonly result: Composition } | undefined;

  const look = async (): Promise<void> => {
    const result = await composeNow();
    if (signal.aborted) return;
    if ('problem' in result) {
      if (result.problem !== lastProblem) listener?.onProblem(result.problem);
      lastProblem = result.problem;
      return;
    }
    const isOver = lastProblem !== undefined;
    lastProblem = undefined;
    if (result.isNew || isOver) listener?.onSdl(result.sdl);
  };

  const composeNow = async (): Promise<Composition & { readonly isNew: boolean }> => {
    const answers = await Promise.all(
      subgraphs.map((address) =>
        fetchSdl(address, signal).then(
          (sdl) => ({ running: { ...address, sdl } }),
          (error: unknown) => ({ problem: fetchProblem(address, error) }),
        ),
      ),
    );
    const problems = answers.flatMap((answer) => ('problem' in answer ? [answer.problem] : []));
    if (problems.length > 0) return { problem: problems.join('\n'), isRefusal: false, isNew: true };

    const running = answers.flatMap((answer) => ('running' in answer ? [answer.running] : []));
    const from = JSON.stringify(running.map(({ sdl }) => sdl));
    if (composed?.from === from) return { ...composed.result, isNew: false };
    const result = await compose(running, signal).then(
      (sdl): Composition => ({ sdl }),
      (error: unknown): Composition => ({
        problem: messageOf(error),
        isRefusal: error instanceof SupergraphRefusedError,
      }),
    );
    // A refusal holds until a subgraph changes; anything else that went wrong may be over next time.
    if ('sdl' in result || result.isRefusal) composed = { from, result };
    return { ...result, isNew: true };
  };

  const lookAgainLater = (): void => {
    if (signal.aborted) return;
    cancelPoll = timers.after(pollIntervalMs, () => {
      looking = look().then(lookAgainLater);
    });
  };

  return {
    start: async (to) => {
      listener = to;
      looking = look();
      await looking;
      lookAgainLater();
    },
    stop: async () => {
      listener = undefined;
      stopped.abort();
      cancelPoll?.();
      await looking;
    },
  };
}

type Composition = { readonly sdl: string } | { readonly problem: string; readonly isRefusal: boolean };

function fetchProblem({ name, url }: SubgraphAddress, error: unknown): string {
  const reason = messageOf(error);
  return `subgraph "${name}" at ${url} gives no schema: ${reason}`;
}
