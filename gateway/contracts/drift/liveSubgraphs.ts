import { setTimeout as wait } from 'node:timers/promises';
import { messageOf } from '../../supergraph/messageOf.ts';
import { fetchSubgraphSdl, type SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';

/** A running subgraph: its SDL, or why there is none. */
export type LiveSubgraph = SubgraphAddress & ({ readonly sdl: string } | { readonly unreachable: string });

export interface AskSubgraphsOptions {
  readonly signal: AbortSignal;
  /** Milliseconds before a subgraph that did not answer is asked once more. */
  readonly retryAfterMs?: number | undefined;
}

const limits = { timeoutMs: 10_000, maxBytes: 32 * 1024 ** 2 };

/** Asks running subgraphs for their SDL, each once more where it does not answer. Errors: the signal's reason. */
export async function askSubgraphs(
  addresses: readonly SubgraphAddress[],
  { signal, retryAfterMs = 1_000 }: AskSubgraphsOptions,
): Promise<readonly LiveSubgraph[]> {
  const ask = (address: SubgraphAddress) => fetchSubgraphSdl(address, signal, limits);
  return Promise.all(
    addresses.map(async (address): Promise<LiveSubgraph> => {
      try {
        // A deployment that is under way, or a connection that was cut, is over soon.
        const sdl = await ask(address).catch(() =>
          wait(retryAfterMs, undefined, { signal }).then(() => ask(address)),
        );
        return { ...address, sdl };
      } catch (error) {
        signal.throwIfAborted();
        return { ...address, unreachable: messageOf(error) };
      }
    }),
  );
}
