import { workerEntryUrl } from '../planning/workerEntryUrl.ts';
import { type CompositionResult, composeSupergraph, type SubgraphInput } from './composeSupergraph.ts';
import { runInThread } from './runInThread.ts';

/** Characters of SDL below which composition takes less time than starting a thread. */
const minCharactersForThread = 50_000;

/** Runs `composeSupergraph` in a worker thread for large graphs. Several compositions can then run in parallel, and the
 *  memory of a composition, hundreds of megabytes, is released. */
export function composeInThread(subgraphs: readonly SubgraphInput[]): Promise<CompositionResult> {
  const characters = subgraphs.reduce((sum, { sdl = '' }) => sum + sdl.length, 0);
  if (characters < minCharactersForThread) return composeSupergraph(subgraphs);
  const task = subgraphs.map(({ name, url, sdl }) => ({ name, url, ...(sdl === undefined ? {} : { sdl }) }));
  return runInThread({
    entry: workerEntryUrl('composeWorker', import.meta.url),
    name: 'tributary-comp',
    task,
  });
}
