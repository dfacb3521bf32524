import { readFile } from 'node:fs/promises';
import { type DocumentNode, type FieldNode, Kind, parse, print, separateOperations, visit } from 'graphql';

const shopOperations = new URL('../contracts/demo/operations/storefront/shop.graphql', import.meta.url);
const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/** Selects no product, so that the cache stays empty. */
const variables = { id: 'none', filter: { tags: ['none'] } };

/** Sends the queries of the shop once, as Apollo Client does, so that they are planned before the first visitor arrives. */
export async function warmDemo(gatewayUrl: string): Promise<void> {
  const document = addTypenames(parse(await readFile(shopOperations, 'utf8')));
  const queries = Object.values(separateOperations(document)).filter(({ definitions }) =>
    definitions.some(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION && definition.operation === 'query',
    ),
  );
  for (const query of queries) {
    const response = await fetch(gatewayUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'multipart/mixed;deferSpec=20220824,application/graphql-response+json',
      },
      body: JSON.stringify({ query: print(query), variables }),
    });
    await response.text();
  }
}

function addTypenames(document: DocumentNode): DocumentNode {
  return visit(document, {
    SelectionSet: {
      enter(node, _key, parent) {
        if (parent !== undefined && 'kind' in parent && parent.kind === Kind.OPERATION_DEFINITION) return;
        const isSelected = node.selections.some(
          (selection) => selection.kind === Kind.FIELD && selection.name.value === '__typename',
        );
        return isSelected ? undefined : { ...node, selections: [...node.selections, typename] };
      },
    },
  });
}
