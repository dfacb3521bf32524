import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';

const subgraphs = [
  {
    name: 'products',
    sdl: 'type Query { product(id: ID!): Product } type Product @key(fields: "id") { id: ID! name: String }',
    resolvers: {
      Query: { product: (_: unknown, { id }: { id: string }) => ({ id, name: `Product ${id}` }) },
    },
  },
];

test('operations that clients send are recorded per client and without literals, at the latest when the gateway closes', async () => {
  const directory = createTemporaryDirectory();
  await using gateway = await startInlineGateway({
    subgraphs,
    config: { contracts: { guard: 'off', record: { enabled: true, directory } } },
    dependencies: { now: () => Date.UTC(2027, 0, 31) },
  });
  const headers = { 'apollographql-client-name': 'shop', 'apollographql-client-version': '2.1.0' };
  const product = (id: string) => `query Page { product(id: "${id}") { name } }`;
  expect((await gateway.execute(product('1'), { headers })).body).toEqual({
    data: { product: { name: 'Product 1' } },
  });
  await gateway.execute(product('2'), { headers });
  // A refused operation is not recorded, because it could not be accepted.
  expect((await gateway.execute('query Wrong { nothing }', { headers })).status).toBe(400);
  await gateway.close();

  expect(await readdir(directory)).toEqual(['shop']);
  const files = await readdir(join(directory, 'shop'));
  expect(files).toEqual([expect.stringMatching(/^Page\.[0-9a-f]+\.graphql$/)]);
  expect(await readFile(join(directory, 'shop', files[0] ?? ''), 'utf8')).toBe(
    [
      '# client: shop',
      '# version: 2.1.0',
      '# first seen: 2027-01-31',
      'query Page {',
      '  product(id: "") {',
      '    name',
      '  }',
      '}',
      '',
    ].join('\n'),
  );
});
