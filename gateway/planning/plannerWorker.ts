// Entry of the planner thread: loads the supergraph, reports the result, then plans one request at a time.

import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import {
  type ApolloPlanner,
  createApolloPlanner,
  describeLoadError,
  describePlanningLimit,
} from './apolloPlanner.ts';
import { collectWhenIdle } from './idleCollection.ts';
import type { PlannerThreadData, PlannerThreadMessage, PlannerThreadRequest } from './plannerMessages.ts';

const port = parentPort;
if (port === null) throw new Error('plannerWorker.ts is the entry of a worker thread');

const postToGateway = (message: PlannerThreadMessage): void => port.postMessage(message);

const planner = loadPlanner(workerData as PlannerThreadData);
if (planner !== undefined) {
  const { apiSchemaSdl, subgraphs, overrides, names } = planner;
  postToGateway({ kind: 'ready', apiSchemaSdl, subgraphs, overrides, names });
  const postponeCollection = collectWhenIdle();
  port.on('message', (request: PlannerThreadRequest) => {
    postponeCollection();
    postToGateway(handleRequest(planner, request));
  });
}

function loadPlanner(options: PlannerThreadData): ApolloPlanner | undefined {
  try {
    return createApolloPlanner(options);
  } catch (error) {
    postToGateway({ kind: 'refused', message: describeLoadError(error) });
    return undefined;
  }
}

function handleRequest(loaded: ApolloPlanner, request: PlannerThreadRequest): PlannerThreadMessage {
  try {
    return { kind: 'planned', plan: JSON.stringify(loaded.plan(request)) };
  } catch (error) {
    return {
      kind: 'failed',
      message: messageOf(error),
      exceeded: describePlanningLimit(error),
    };
  }
}
