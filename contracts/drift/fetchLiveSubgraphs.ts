import { setTimeout as wait } from 'node:timers/promises';
import { messageOf } from '../../gateway/errors.ts';
import {
  type AccessOfAddress,
  fetchSubgraphSdl,
  type SubgraphAddress,
} from '../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import type { Timers } from '../../gateway/time/timers.ts';
import { describeExcess } from '../store/schemaFile.ts';

/** A running subgraph: its SDL, or why it gave none. */
export type LiveSubgraph = SubgraphAddress & ({ readonly sdl: string } | { readonly unreachable: string });

interface FetchLiveSubgraphsOptions {
  readonly signal: AbortSignal;
  /** Milliseconds before the second attempt. */
  readonly retryAfterMs?: number | undefined;
  /** How the SDL of a protected subgraph is fetched. */
  readonly accessOf?: AccessOfAddress | undefined;
  /** Limit for both attempts of all subgraphs together. Omitted: each attempt has its own. */
  readonly timeout?: { readonly ms: number; readonly timers: Timers } | undefined;
}

/** Fetches the SDL of running subgraphs, with two attempts each.
 *  @throws {unknown} the reason of `signal`. */
export async function fetchLiveSubgraphs(
  addresses: readonly SubgraphAddress[],
  { signal, retryAfterMs = 1_000, accessOf, timeout }: FetchLiveSubgraphsOptions,
): Promise<readonly LiveSubgraph[]> {
  const timedOut = new AbortController();
  const stopSignal = AbortSignal.any([signal, timedOut.signal]);
  const cancelTimer = timeout?.timers.after(timeout.ms, () =>
    timedOut.abort(new Error(`no answer within ${timeout.ms} ms`)),
  );
  const fetchOnce = async (address: SubgraphAddress) => {
    const sdl = await fetchSubgraphSdl(address, stopSignal, accessOf?.(address));
    const excess = describeExcess(sdl);
    if (excess !== undefined) throw new Error(`it ${excess}`);
    return sdl;
  };
  const fetchWithRetry = async (address: SubgraphAddress): Promise<LiveSubgraph> => {
    try {
      // A running deployment or a broken connection is usually over soon.
      const sdl = await fetchOnce(address).catch(() =>
        wait(retryAfterMs, undefined, { signal: stopSignal }).then(() => fetchOnce(address)),
      );
      return { ...address, sdl };
    } catch (error) {
      signal.throwIfAborted();
      return { ...address, unreachable: messageOf(timedOut.signal.aborted ? timedOut.signal.reason : error) };
    }
  };
  try {
    return await Promise.all(addresses.map(fetchWithRetry));
  } finally {
    cancelTimer?.();
  }
}
