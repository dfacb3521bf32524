import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { pino } from 'pino';
import { parseConfig } from '../../../../gateway/config/parseConfig.ts';
import { EnrichmentCoordinator } from '../../../../gateway/enrichment/responses/enrichmentCoordinator.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';

const sdl = `
  schema @link(url: "https://tributary.dev/spec/v1.0", import: ["@enrichment"]) { query: Query }
  type Query { product: Product }
  type Product { reviews: String @enrichment(budget: "5 sec") }
`;

test.each(['adaptive', 'always', 'never'] as const)(
  'an invalid directive and an unknown field are reported in the mode %s',
  (mode) => {
    const coordinator = new EnrichmentCoordinator({
      config: parseConfig({
        supergraph: { file: 'supergraph.graphql' },
        enrichment: { mode, fields: { 'Product.stock': {} } },
      }),
      log: pino({ level: 'silent' }),
      observer: { onFirstResponse: () => {}, onUnsplit: () => {}, onReady: () => {} },
      deferredEnrichments: () => {
        throw new Error('The supergraph is refused.');
      },
    });
    const apiSchema = buildSchema('type Query { product: Product } type Product { reviews: String }');
    const supergraph = { sdl, apiSchema } as Supergraph;
    expect(coordinator.readSupergraph({ supergraph, document: parse(sdl) })).toMatchObject({
      problems: [
        'Product.reviews: budget of @enrichment is "5 sec"; expected a duration such as 50ms or 1s, at most 596h',
      ],
      unknownNames: ['enrichment.fields["Product.stock"]: Product has no field stock'],
    });
  },
);

test('a job is stored with the headers and claims that subgraphs get, and no others', () => {
  const coordinator = new EnrichmentCoordinator({
    config: parseConfig({
      supergraph: { file: 'supergraph.graphql' },
      security: {
        identity: { header: 'x-user' },
        jwt: { issuers: [{ jwks: 'https://login.test/jwks.json' }] },
      },
      subgraphs: {
        all: { headers: { forward: ['accept-language'], rules: [{ forwardMatching: '^x-acme-' }] } },
        reviews: {
          headers: {
            rules: [
              { rename: 'x-a', to: 'x-b' },
              { set: 'x-subject', claim: 'sub' },
            ],
          },
        },
      },
    }),
    log: pino({ level: 'silent' }),
    observer: { onFirstResponse: () => {}, onUnsplit: () => {}, onReady: () => {} },
    deferredEnrichments: () => {
      throw new Error('There is no supergraph.');
    },
  });
  const headers = ['x-user', 'x-b', 'x-a', 'x-acme-1', 'cookie', 'authorization', 'accept-language'];
  expect(coordinator.headersToStore(new Map(headers.map((name) => [name, `of ${name}`])))).toEqual(
    ['accept-language', 'x-a', 'x-acme-1'].map((name) => [name, `of ${name}`]),
  );
  expect(coordinator.claimsToStore({ sub: 'ada', email: 'ada@example.com' })).toEqual({ sub: 'ada' });
  expect(coordinator.claimsToStore({ email: 'ada@example.com' })).toBeUndefined();
  expect(coordinator.claimsToStore(undefined)).toBeUndefined();
});
