// Entry of a short-lived worker thread that finds drift. Composition takes seconds, and its modules are needed for
// nothing else.

import { parentPort, workerData } from 'node:worker_threads';
import type { LiveSubgraph } from '../../../contracts/drift/fetchLiveSubgraphs.ts';
import { type Drift, findDrift } from '../../../contracts/drift/findDrift.ts';
import { readContractStore } from '../../../contracts/store/readContractStore.ts';
import { messageOf } from '../../errors.ts';
import { supergraphTools } from '../supergraphTools.ts';

export interface DriftTask {
  /** Directory of the contract store. */
  readonly directory: string;
  readonly live: readonly LiveSubgraph[];
  readonly supergraphSdl: string;
}

export type DriftReply =
  | { readonly kind: 'found'; readonly drift: Drift }
  | { readonly kind: 'failed'; readonly message: string };

async function runTask({ directory, live, supergraphSdl }: DriftTask): Promise<DriftReply> {
  try {
    const store = await readContractStore(directory);
    return { kind: 'found', drift: await findDrift({ store, live, supergraphSdl }, supergraphTools) };
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}

parentPort?.postMessage(await runTask(workerData as DriftTask));
