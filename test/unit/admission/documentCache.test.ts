import { describe, expect, test } from '@jest/globals';
import { type DocumentNode, GraphQLError, parse, visit } from 'graphql';
import { DocumentCache } from '../../../gateway/admission/documentCache.ts';

const text = `# first
query Page($id: ID!) {
  product(id: $id) { ...Name }
}
fragment Name on Product { name }`;

async function storeDocument(): Promise<DocumentNode> {
  const cache = new DocumentCache(10, 1000);
  await cache.set('key', parse(text));
  return (await cache.get('key')) as DocumentNode;
}

describe('DocumentCache', () => {
  test('stores a document without its tokens', async () => {
    const linkedTokens: string[] = [];
    visit(await storeDocument(), {
      enter({ kind, loc }) {
        if (loc?.startToken.next != null || loc?.endToken.prev != null) linkedTokens.push(kind);
      },
    });
    expect(linkedTokens).toEqual([]);
  });

  test('keeps the places of errors, and what is printed for them', async () => {
    const [stored, parsed] = [await storeDocument(), parse(text)].map(
      ({ definitions }) => new GraphQLError('Wrong', { nodes: definitions.slice(1) }),
    );
    expect(stored?.locations).toEqual([{ line: 5, column: 1 }]);
    expect(String(stored)).toBe(String(parsed));
  });

  test.each([
    // Each counts as 100 characters.
    ['the texts are too long', new DocumentCache(10, 200)],
    ['there are too many', new DocumentCache(2, 10 * text.length)],
  ])('drops the document that was not used for longest when %s', async (_, cache) => {
    await cache.set('a', parse(text));
    await cache.set('b', parse(text));
    await cache.get('a');
    await cache.set('c', parse(text));
    const stored = await Promise.all(['a', 'b', 'c'].map((key) => cache.get(key)));
    expect(stored.map((document) => document !== undefined)).toEqual([true, false, true]);
  });
});
