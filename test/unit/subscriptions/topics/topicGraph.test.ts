import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { TopicGraph } from '../../../../gateway/subscriptions/topics/topicGraph.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { sdl, supergraphOf } from '../../transport/scriptedServer.ts';

test('reads a supergraph only once when its document was attached', () => {
  let reads = 0;
  const supergraph: Supergraph = Object.defineProperty({ ...supergraphOf(sdl) }, 'sdl', {
    get: () => {
      reads += 1;
      return sdl;
    },
  });
  TopicGraph.attach(supergraph, parse(sdl));
  expect(TopicGraph.of(supergraph)).toBe(TopicGraph.of(supergraph));
  expect(reads).toBe(0);
});
