import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type DocumentNode, Kind, print } from 'graphql';
import { readContractStore } from '../../../contracts/store/readContractStore.ts';
import { printSchemaFile } from '../../../contracts/store/schemaFile.ts';
import * as storefront from '../../../storefront/page/operations.ts';
import { demoDefinitions } from '../../../subgraphs/demo.ts';

const root = join(import.meta.dirname, '../../..');
const store = await readContractStore(join(root, 'contracts/demo'));

/** The operations that a module exports, as text by name. */
function operationsOf(exported: Readonly<Record<string, unknown>>): Record<string, string> {
  const documents = Object.values(exported).filter(
    (value): value is DocumentNode => typeof value === 'object' && value !== null && 'definitions' in value,
  );
  return textsOf(documents);
}

function textsOf(documents: readonly DocumentNode[]): Record<string, string> {
  return Object.fromEntries(
    documents.map((document) => {
      const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
      const name = operation !== undefined && 'name' in operation ? operation.name?.value : undefined;
      return [name, print(document)];
    }),
  );
}

describe('the contracts of the demo', () => {
  test('have no mistakes', () => {
    expect(store.problems).toEqual([]);
  });

  test("equal the schemas of the demo's subgraphs", async () => {
    const texts = await Promise.all(
      Object.values(demoDefinitions).map(async ({ name, defaultPort }) => {
        const sdl = await readFile(join(root, 'subgraphs', name, 'schema.graphql'), 'utf8');
        return [
          name,
          printSchemaFile({ name, url: `http://localhost:${defaultPort}/graphql`, sdl }),
        ] as const;
      }),
    );
    const agreed = [...store.schemas.values()].map(({ name, sdl }) => [name, sdl] as const);
    expect(Object.fromEntries(agreed)).toEqual(Object.fromEntries(texts));
  });

  test('contain the operations that the storefront sends', () => {
    const agreed = store.operations.filter(({ consumer }) => consumer === 'storefront');
    expect(textsOf(agreed.map(({ document }) => document))).toEqual(operationsOf(storefront));
    expect(agreed).toHaveLength(5);
  });

  test('name every subgraph of the demo in the environment "demo"', () => {
    const demo = store.environments.find(({ name }) => name === 'demo');
    expect([...(demo?.subgraphs.keys() ?? [])].sort()).toEqual(Object.keys(demoDefinitions).sort());
  });
});
