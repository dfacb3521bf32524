// Entry of a short-lived thread that composes a supergraph.

import { parentPort, workerData } from 'node:worker_threads';
import { composeSupergraph, type SubgraphInput } from './composeSupergraph.ts';

parentPort?.postMessage(await composeSupergraph(workerData as readonly SubgraphInput[]));
