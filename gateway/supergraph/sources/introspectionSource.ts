import { maskSecrets } from '../../config/addressSecrets.ts';
import { messageOf } from '../../errors.ts';
import { backoffDelayMs } from '../../time/backoffDelayMs.ts';
import { systemTimers, type Timers } from '../../time/timers.ts';
import { composeRunningSubgraphs, type RunningSubgraph } from '../composeRunningSubgraphs.ts';
import { SupergraphRefusedError } from '../supergraphRefusedError.ts';
import {
  type AccessOfAddress,
  fetchSubgraphSdl,
  SchemaRefusedError,
  type SubgraphAddress,
} from './fetchSubgraphSdl.ts';
import { UnavailableError } from './httpRequest.ts';
import { pollRepeatedly } from './pollRepeatedly.ts';
import type { SupergraphSource, SupergraphSourceListener } from './supergraphSource.ts';

interface IntrospectionSourceOptions {
  readonly subgraphs: readonly SubgraphAddress[];
  /** Time from the end of one poll to the start of the next, also after a failure. */
  readonly pollIntervalMs: number;
  /** How the SDL of a protected subgraph is fetched. */
  readonly accessOf?: AccessOfAddress | undefined;
  /** Fetches the SDL of one subgraph. Rejects with a message for the operator. */
  readonly fetchSdl?: (address: SubgraphAddress, signal: AbortSignal) => Promise<string>;
  /** Composes the supergraph SDL. Rejects with the composer's message. */
  readonly compose?: (subgraphs: readonly RunningSubgraph[], signal: AbortSignal) => Promise<string>;
  readonly timers?: Timers;
}

/** A composition that takes longer has failed. Several times what the largest graphs take that a gateway should compose
 *  (docs/production.md). */
const compositionTimeoutMs = 5 * 60_000;

/** Before the same SDLs are composed again after a composition without an end, which has occupied a core. */
const timeoutBackoff = { minDelay: 5 * 60_000, maxDelay: 60 * 60_000 };

/** A source that polls running subgraphs and composes their SDLs. It composes only when an SDL changed since the last
 *  composition; otherwise a poll takes one small request for each subgraph. */
export function createIntrospectionSource(options: IntrospectionSourceOptions): SupergraphSource {
  const {
    subgraphs,
    pollIntervalMs,
    accessOf,
    fetchSdl = (address, signal) => fetchSubgraphSdl(address, signal, accessOf?.(address)),
    compose = composeRunningSubgraphs,
    timers = systemTimers,
  } = options;
  let lastProblem: string | undefined;
  /** `expiresAtMs`: when the same SDLs are composed again. */
  let lastComposition:
    | { readonly from: string; readonly result: Composition; readonly expiresAtMs: number }
    | undefined;
  let timeouts = 0;

  return pollRepeatedly({ poll, nextDelayMs: () => pollIntervalMs, timers });

  async function poll(listener: SupergraphSourceListener, signal: AbortSignal): Promise<void> {
    const result = await composeNow(signal);
    if (signal.aborted) return;
    if ('problem' in result) {
      const { problem, isRefusal, outage = problem } = result;
      if (outage !== lastProblem) {
        if (isRefusal) listener.onRefusal(problem);
        else listener.onProblem(problem);
      }
      lastProblem = outage;
      return;
    }
    const isRecovered = lastProblem !== undefined;
    lastProblem = undefined;
    if (result.isNew || isRecovered) listener.onSdl(result.sdl);
  }

  async function composeNow(signal: AbortSignal): Promise<Composition & { readonly isNew: boolean }> {
    const fetched = await fetchAll(subgraphs, fetchSdl, signal);
    if ('problem' in fetched) return { ...fetched, isRefusal: false, isNew: true };
    const { running } = fetched;
    const from = JSON.stringify(running.map(({ sdl }) => sdl));
    if (lastComposition?.from === from && timers.now() < lastComposition.expiresAtMs)
      return { ...lastComposition.result, isNew: false };
    const { result, isTimeout } = await composeWithinLimit(running, { compose, timers, signal });
    timeouts = isTimeout ? timeouts + 1 : 0;
    // A refusal is final until a subgraph changes. Any other failure may be temporary, so that the next poll composes again.
    if (timeouts > 0)
      lastComposition = {
        from,
        result,
        expiresAtMs: timers.now() + backoffDelayMs(timeouts, timeoutBackoff),
      };
    else if ('sdl' in result || result.isRefusal)
      lastComposition = { from, result, expiresAtMs: Number.POSITIVE_INFINITY };
    return { ...result, isNew: true };
  }
}

type FetchSdl = NonNullable<IntrospectionSourceOptions['fetchSdl']>;

/** Fetches the SDLs of all subgraphs. */
async function fetchAll(
  subgraphs: readonly SubgraphAddress[],
  fetchSdl: FetchSdl,
  signal: AbortSignal,
): Promise<
  { readonly running: readonly RunningSubgraph[] } | { readonly problem: string; readonly outage: string }
> {
  const results = await Promise.all(
    subgraphs.map((address) =>
      fetchSdl(address, signal).then(
        (sdl) => ({ running: { name: address.name, url: address.url, sdl } }),
        (error: unknown) => ({
          problem: fetchProblem(address, error),
          outage: `${address.name}: ${outageOf(error)}`,
        }),
      ),
    ),
  );
  const failed = results.flatMap((result) => ('problem' in result ? [result] : []));
  if (failed.length === 0)
    return { running: results.flatMap((result) => ('running' in result ? [result.running] : [])) };
  return {
    problem: failed.map(({ problem }) => problem).join('\n'),
    outage: failed.map(({ outage }) => outage).join('\n'),
  };
}

async function composeWithinLimit(
  running: readonly RunningSubgraph[],
  {
    compose,
    timers,
    signal,
  }: Required<Pick<IntrospectionSourceOptions, 'compose' | 'timers'>> & {
    readonly signal: AbortSignal;
  },
): Promise<{ readonly result: Composition; readonly isTimeout: boolean }> {
  const limit = new AbortController();
  const cancelTimer = timers.after(compositionTimeoutMs, () =>
    limit.abort(
      new Error(
        `the composition of the subgraphs has not ended within ${compositionTimeoutMs / 60_000} minutes. Compose them outside of the gateway (tributary compose), and set supergraph.file or supergraph.url`,
      ),
    ),
  );
  const result = await compose(running, AbortSignal.any([signal, limit.signal])).then(
    (sdl): Composition => ({ sdl }),
    (error: unknown): Composition => ({
      problem: messageOf(error),
      isRefusal: error instanceof SupergraphRefusedError,
    }),
  );
  cancelTimer();
  return { result, isTimeout: limit.signal.aborted };
}

type Composition =
  | { readonly sdl: string }
  /** `outage`: equal while the same subgraphs fail in the same way, however their messages differ. */
  | { readonly problem: string; readonly isRefusal: boolean; readonly outage?: string };

function outageOf(error: unknown): string {
  if (error instanceof UnavailableError) return 'unavailable';
  return error instanceof SchemaRefusedError ? `errors with status ${error.status}` : messageOf(error);
}

function fetchProblem({ name, url }: SubgraphAddress, error: unknown): string {
  const reason = messageOf(error);
  return `the schema of subgraph "${name}" could not be fetched from ${maskSecrets(url)}: ${reason}`;
}
