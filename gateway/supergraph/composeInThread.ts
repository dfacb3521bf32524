import { workerEntryUrl } from '../planning/workerEntryUrl.ts';
import { type CompositionResult, composeSupergraph, type SubgraphInput } from './composeSupergraph.ts';
import { runInThread } from './runInThread.ts';

/** Characters of SDL below which composing takes less time than starting a thread. */
const minCharactersForThread = 50_000;

/** `composeSupergraph` for large graphs: in a thread of its own, so that several are composed at a time and the
 *  hundreds of megabytes that it takes are given back. */
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
