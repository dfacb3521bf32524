import { expect, test } from '@jest/globals';
import { prepareTopics } from '../../../../gateway/subscriptions/topics/supergraphTopics.ts';
import { TopicGraph } from '../../../../gateway/subscriptions/topics/topicGraph.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { sdl, supergraphOf } from '../../transport/scriptedServer.ts';

/** A supergraph that notes how often its text is read. */
function noted(): { readonly supergraph: Supergraph; readonly reads: () => number } {
  let reads = 0;
  const supergraph = Object.defineProperty({ ...supergraphOf(sdl) }, 'sdl', {
    get: () => {
      reads += 1;
      return sdl;
    },
  });
  return { supergraph, reads: () => reads };
}

test('a supergraph is read for its events before the first of them comes', () => {
  const { supergraph, reads } = noted();
  prepareTopics(supergraph, { 'Subscription.greetings': { topic: 'greetings', filter: {} } });
  expect(reads()).toBe(1);
  TopicGraph.of(supergraph);
  expect(reads()).toBe(1);
});

test('and not where no topic feeds anything', () => {
  const { supergraph, reads } = noted();
  prepareTopics(supergraph, {});
  expect(reads()).toBe(0);
});
