import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { typesByContext } from '../../../gateway/planning/supergraphDocument.ts';
import { composeSubgraphs } from '../../harness/composeSubgraphs.ts';

test.each(['"@context"', '{ name: "@context", as: "@within" }'])(
  'finds the types that set a context with the import %s',
  async (imported) => {
    const directive = imported.includes('@within') ? '@within' : '@context';
    const sdl = `
      extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ["@key", ${imported}, "@fromContext"])
      type Query { site: Site }
      type Site ${directive}(name: "page") { theme: String page: Page }
      type Page @key(fields: "id") { id: ID! css(theme: String @fromContext(field: "$page { theme }")): String }
    `;
    const composed = await composeSubgraphs([{ name: 'a', url: 'http://a.test', sdl }]);
    expect([...typesByContext(parse(composed, { noLocation: true })).values()]).toEqual([['Site']]);
  },
);
