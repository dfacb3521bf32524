import { expect, test } from '@jest/globals';
import { readSubgraphVersion } from '../../../../contracts/diff/subgraphVersion.ts';
import { subgraphSchemaOf } from '../../../../contracts/graph/subgraphSchema.ts';
import { contractOf, federation2 } from './subgraphSdl.ts';

test('a version of a subgraph has the schema that plans are checked with', () => {
  const contract = contractOf(federation2('type Query { a: Int }'));
  const version = readSubgraphVersion(contract);
  expect('schema' in version && version.schema === subgraphSchemaOf(contract)).toBe(true);
});

test('a version of a subgraph has default names for the root types, also if the SDL has other names', () => {
  const contract = contractOf('schema { query: Root } type Root { a: Int }');
  const version = readSubgraphVersion(contract);
  expect('schema' in version && version.schema.getQueryType()?.name).toBe('Query');
  expect(subgraphSchemaOf(contract).getQueryType()?.name).toBe('Root');
});

test('an invalid version of a subgraph is located in its file', () => {
  const contract = contractOf(federation2('type Query {\n  a: Missing\n}'));
  expect(readSubgraphVersion(contract)).toMatchObject([
    { rule: 'subgraph-invalid', location: { file: contract.file, line: 3, column: 6 } },
  ]);
});
