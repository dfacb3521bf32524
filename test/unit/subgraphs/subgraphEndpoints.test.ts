import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../../gateway/config/schema.ts';
import { createSubgraphEndpoints } from '../../../gateway/subgraphs/subgraphEndpoints.ts';
import { FakeSupergraphView, supergraphOf, testSdl } from '../../harness/scriptedServer.ts';

const noCertificates = { ofSubgraph: () => undefined, onChange: () => {} };
const silentLog = { warn: () => {} };

function endpointOf(attempt: string) {
  const supergraphs = new FakeSupergraphView();
  const config = parseConfig({
    supergraph: { file: 'a' },
    subgraphs: { all: { timeouts: { attempt, deadline: '10m' } } },
  });
  const endpoint = createSubgraphEndpoints(config, supergraphs, noCertificates, silentLog);
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

const files = { ca: 'ca.pem' };

test.each([
  ['its only URL', { greetings: { tls: files } }],
  ['one of its URLs', { greetings: { tls: files, urls: ['https://a.test', 'http://b.test'] } }],
])('a subgraph with certificates and http:// in %s has one warning for all supergraphs', (_, subgraphs) => {
  expect(warningsOf(subgraphs)).toEqual([
    [
      { option: 'subgraphs.greetings.tls' },
      'A subgraph is called without TLS, although it has certificates: use https:// in its URL',
    ],
  ]);
});

test.each([
  ['with the certificates of all subgraphs', { all: { tls: files }, greetings: {} }],
  ['without certificates', { greetings: { tls: { ca: '' } } }],
  ['with https://', { greetings: { tls: files, urls: ['https://a.test', 'https://b.test'] } }],
])('a subgraph %s has no warning about TLS', (_, subgraphs) => {
  expect(warningsOf(subgraphs)).toEqual([]);
});

function warningsOf(subgraphs: NonNullable<GatewayOptions['subgraphs']>): readonly unknown[] {
  const supergraphs = new FakeSupergraphView();
  const config = parseConfig({ supergraph: { file: 'a' }, subgraphs });
  const warnings: unknown[] = [];
  const log = { warn: (...line: unknown[]) => void warnings.push(line) };
  createSubgraphEndpoints(config, supergraphs, noCertificates, log);
  supergraphs.set(supergraphOf(testSdl));
  supergraphs.set(supergraphOf(testSdl));
  return warnings;
}
