import { setTimeout as wait } from 'node:timers/promises';
import { messageOf } from '../../gateway/supergraph/messageOf.ts';
import { fetchSubgraphSdl, type SubgraphAddress } from '../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import type { Timers } from '../../gateway/time/timers.ts';

/** A running subgraph: its SDL, or why it gave none. */
export type LiveSubgraph = SubgraphAddress & ({ readonly sdl: string } | { readonly unreachable: string });

interface FetchLiveSubgraphsOptions {
  readonly signal: AbortSignal;
  /** Milliseconds before the second attempt. */
  readonly retryAfterMs?: number | undefined;
  /** Limit for both attempts of all subgraphs together. Omitted: each attempt has its own. */
  readonly timeout?: { readonly ms: number; readonly timers: Timers } | undefined;
}

const fetchLimits = { timeoutMs: 10_000, maxBytes: 32 * 1024 ** 2 };

/** Fetches the SDL of running subgraphs, with two attempts each.
 *  @throws {unknown} the reason of `signal`. */
export async function fetchLiveSubgraphs(
  addresses: readonly SubgraphAddress[],
  { signal, retryAfterMs = 1_000, timeout }: FetchLiveSubgraphsOptions,
): Promise<readonly LiveSubgraph[]> {
  const late = new AbortController();
  const enough = AbortSignal.any([signal, late.signal]);
  const cancelTimer = timeout?.timers.after(timeout.ms, () =>
    late.abort(new Error(`no answer within ${timeout.ms} ms`)),
  );
  const ask = (address: SubgraphAddress) => fetchSubgraphSdl(address, enough, fetchLimits);
  const askTwice = async (address: SubgraphAddress): Promise<LiveSubgraph> => {
    try {
      // A running deployment or a broken connection is usually over soon.
      const sdl = await ask(address).catch(() =>
        wait(retryAfterMs, undefined, { signal: enough }).then(() => ask(address)),
      );
      return { ...address, sdl };
    } catch (error) {
      signal.throwIfAborted();
      return { ...address, unreachable: messageOf(late.signal.aborted ? late.signal.reason : error) };
    }
  };
  try {
    return await Promise.all(addresses.map(askTwice));
  } finally {
    cancelTimer?.();
  }
}
