import { parse } from 'graphql';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../supergraph/supergraphRefusedError.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type TopicFields, unknownTopicFields } from './topicField.ts';
import { TopicGraph } from './topicGraph.ts';

export interface TopicCheck {
  readonly sdl: string;
  /** `subscriptions.topics` of the configuration. */
  readonly topics: TopicFields;
  /** No supergraph is in use yet: what the configuration names is a mistake of who starts the gateway. */
  readonly isFirst: boolean;
  readonly log: Logger;
}

/** Whether a supergraph has what is to be fed by topics. Errors: `SupergraphRefusedError` with the whole list. */
export function checkTopics({ sdl, topics, isFirst, log }: TopicCheck): void {
  if (Object.keys(topics).length === 0) return;
  const unknown = unknownTopicFields(topics, parse(sdl, { noLocation: true }));
  if (unknown.length === 0) return;
  if (isFirst)
    throw new SupergraphRefusedError(unknown.map((one) => `subscriptions.topics: ${one}`).join('\n'));
  log.warn({ unknown }, 'The configuration feeds subscriptions that the supergraph does not have');
}

/** Reads of a supergraph what its events will need, so that the first of them does not wait for that. */
export function prepareTopics(supergraph: Supergraph, topics: TopicFields): void {
  if (Object.keys(topics).length > 0) TopicGraph.of(supergraph);
}
