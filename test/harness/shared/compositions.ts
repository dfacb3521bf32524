// Evaluated once per worker: all suites of a worker share the compositions.

import { LRUCache } from 'lru-cache';
import {
  type CompositionResult,
  composeSupergraph,
  type SubgraphInput,
} from '../../../gateway/supergraph/composeSupergraph.ts';

/** A subgraph whose SDL need not be fetched. */
export interface GivenSubgraph extends SubgraphInput {
  readonly sdl: string;
}

const compositions = new LRUCache<string, CompositionResult>({ max: 500 });

/** Like `composeSupergraph`, for subgraphs with a given SDL. Equal SDLs are composed once, also with different URLs:
 *  tests start the same subgraphs on different ports. */
export async function composeOnce(subgraphs: readonly GivenSubgraph[]): Promise<CompositionResult> {
  const key = JSON.stringify(subgraphs.map(({ name, sdl }) => [name, sdl]));
  let composed = compositions.get(key);
  if (composed === undefined) {
    composed = await composeSupergraph(
      subgraphs.map((subgraph, index) => ({ ...subgraph, url: placeholder(index) })),
    );
    compositions.set(key, composed);
  }
  if ('errors' in composed) return composed;
  let { sdl } = composed;
  for (const [index, { url }] of subgraphs.entries()) {
    sdl = sdl.replaceAll(JSON.stringify(placeholder(index)), () => JSON.stringify(url));
  }
  return { ...composed, sdl };
}

function placeholder(index: number): string {
  return `http://subgraph-${index}.invalid/`;
}
