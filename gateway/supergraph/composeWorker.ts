// Entry of a short-lived thread that composes a supergraph.

import { parentPort, workerData } from 'node:worker_threads';
import { composeFetched, type FetchedSchema } from './composeSupergraph.ts';

parentPort?.postMessage(composeFetched(workerData as readonly FetchedSchema[]));
