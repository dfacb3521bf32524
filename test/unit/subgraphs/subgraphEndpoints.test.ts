import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { createSubgraphEndpoints } from '../../../gateway/subgraphs/subgraphEndpoints.ts';
import { FakeSupergraphView, supergraphOf, testSdl } from '../../harness/scriptedServer.ts';

const noCertificates = { ofSubgraph: () => undefined, onChange: () => {} };

function endpointOf(attempt: string) {
  const supergraphs = new FakeSupergraphView();
  const config = parseConfig({
    supergraph: { file: 'a' },
    subgraphs: { all: { timeouts: { attempt, deadline: '10m' } } },
  });
  const endpoint = createSubgraphEndpoints(config, supergraphs, noCertificates);
  supergraphs.set(supergraphOf(testSdl));
  return endpoint('greetings');
}

test.each([
  ['8s', 8_000],
  ['100ms', 1_000],
  ['5m', 60_000],
])('HTTP/2 connections are pinged as rarely as one attempt may last: %s', (attempt, pingIntervalMs) => {
  expect(endpointOf(attempt)).toMatchObject({ pingIntervalMs });
});
