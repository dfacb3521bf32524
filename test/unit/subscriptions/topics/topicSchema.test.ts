import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { TopicSchema } from '../../../../gateway/subscriptions/topics/topicSchema.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { supergraphOf, testSdl } from '../../../harness/scriptedServer.ts';

test('reads a supergraph only once when its document was attached', () => {
  let reads = 0;
  const supergraph: Supergraph = Object.defineProperty({ ...supergraphOf(testSdl) }, 'sdl', {
    get: () => {
      reads += 1;
      return testSdl;
    },
  });
  TopicSchema.attach(supergraph, parse(testSdl));
  expect(TopicSchema.of(supergraph)).toBe(TopicSchema.of(supergraph));
  expect(reads).toBe(0);
});
