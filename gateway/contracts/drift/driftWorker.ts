// Entry of a short-lived thread that finds drift and ends: composing takes seconds, and what it needs is loaded for
// nothing else.

import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../supergraph/messageOf.ts';
import { readContractStore } from '../store/readContractStore.ts';
import type { Drift } from './drift.ts';
import { findDrift } from './findDrift.ts';
import type { LiveSubgraph } from './liveSubgraphs.ts';

export interface DriftTask {
  /** Of the store. */
  readonly directory: string;
  readonly live: readonly LiveSubgraph[];
  readonly supergraphSdl: string;
}

export type DriftAnswer =
  | { readonly kind: 'found'; readonly drift: Drift }
  | { readonly kind: 'failed'; readonly message: string };

async function answer({ directory, live, supergraphSdl }: DriftTask): Promise<DriftAnswer> {
  try {
    const store = await readContractStore(directory);
    return { kind: 'found', drift: await findDrift({ store, live, supergraphSdl }) };
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}

parentPort?.postMessage(await answer(workerData as DriftTask));
