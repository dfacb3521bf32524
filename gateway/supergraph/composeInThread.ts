import { workerEntryUrl } from '../planning/workerEntryUrl.ts';
import {
  type CompositionResult,
  composeFetched,
  fetchSchemas,
  type SubgraphInput,
} from './composeSupergraph.ts';
import { runInThread } from './runInThread.ts';
import type { AccessOfAddress } from './sources/fetchSubgraphSdl.ts';

/** Characters of SDL below which composition takes less time than starting a thread. */
const minCharactersForThread = 50_000;

/** `composeSupergraph` that composes large graphs in a worker thread. Several compositions can then run in parallel, the
 *  memory of a composition, hundreds of megabytes, is released, and the stack is large enough. */
export async function composeInThread(
  subgraphs: readonly SubgraphInput[],
  accessOf?: AccessOfAddress,
): Promise<CompositionResult> {
  const fetched = await fetchSchemas(subgraphs, accessOf);
  const characters = fetched.reduce((sum, entry) => sum + ('sdl' in entry ? entry.sdl.length : 0), 0);
  if (characters < minCharactersForThread) return composeFetched(fetched);
  return runInThread({
    entry: workerEntryUrl('composeWorker', import.meta.url),
    name: 'tributary-comp',
    task: fetched,
  });
}
