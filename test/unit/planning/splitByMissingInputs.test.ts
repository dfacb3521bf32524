import { buildSchema } from '@apollo/federation-internals';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { EntityInputs } from '../../../gateway/planning/entityInputs.ts';
import { mapFetches } from '../../../gateway/planning/mapFetches.ts';
import type { FetchNode, RequiresSelection } from '../../../gateway/planning/queryPlan.ts';
import { splitByMissingInputs } from '../../../gateway/planning/splitByMissingInputs.ts';
import { entityFetch } from '../../harness/fetchNodes.ts';
import { flattenAt } from '../../harness/runPlan.ts';

const apiSchema = buildSchema(`
  type Query { owners: [Owner] }
  interface Owner { kids: [Kid] friend: Owner }
  type Club implements Owner { kids: [Kid] friend: Owner }
  type Firm implements Owner { kids: [Kid] friend: Owner }
  type Kid { id: ID name: String age: Int parent: Kid weight: Int height: Int text: String }
`);
const inputs = new EntityInputs(
  parse(`
    enum join__Graph { STOCK @join__graph(name: "stock") }
    type Kid @join__type(graph: STOCK, key: "id") @join__type(graph: STOCK, key: "parent { id }") {
      parent: Kid
      weight: Int @join__field(graph: STOCK, requires: "age parent { id name }")
      height: Int @join__field(graph: STOCK, requires: "age")
      text: String
    }
  `),
);
const requires: readonly RequiresSelection[] = [
  {
    kind: 'InlineFragment',
    typeCondition: 'Kid',
    selections: [
      ...['__typename', 'id', 'age'].map((name) => ({ kind: 'Field' as const, name })),
      { kind: 'Field', name: 'parent', selections: ['id', 'name'].map((name) => ({ kind: 'Field', name })) },
    ],
  },
];

const printRequires = (selections: readonly RequiresSelection[] = []): string =>
  selections
    .map((selection) => {
      const inner = selection.selections === undefined ? '' : `{${printRequires(selection.selections)}}`;
      return `${selection.kind === 'Field' ? selection.name : ''}${inner}`;
    })
    .join(' ');

/** The parts of a fetch for the kids of owners: what they select, and their inputs. */
function split(
  operation: string,
  fields: string,
  { path = 'owners.@.kids.@', ...options }: Partial<FetchNode> & { readonly path?: string } = {},
): { readonly parts: string[]; readonly fetches: FetchNode[] } {
  const text = `query($representations:[_Any!]!,$locale:String){_entities(representations:$representations){...on Kid{${fields}}}}`;
  const fetch = entityFetch('', { operation: text, requires, ...options });
  const fetches: FetchNode[] = [];
  const plan = { kind: 'QueryPlan' as const, node: flattenAt(path, fetch) };
  mapFetches(splitByMissingInputs(plan, operation, apiSchema, inputs), (part) => {
    fetches.push(part);
    return part;
  });
  const parts = fetches.map((part) => {
    const selected = /on Kid ?\{(.*?)\}/.exec(part.operation.replace(/\s+/g, ' '))?.[1]?.trim();
    return `${printRequires(part.requires)} => ${selected}`;
  });
  return { parts, fetches };
}

const whole = '{__typename id age parent{id name}}';

describe('a fetch', () => {
  test.each([
    ['selected for the objects of one type', '{ owners { kids { name } ... on Club { kids { height } } } }'],
    ['not in the operation', '{ owners { kids { name } } }'],
    [
      'selected at the path of one type only',
      '{ owners { ... on Firm { kids { name } } ... on Club { kids { height } } } }',
    ],
  ])('is divided when a field with inputs is %s', (_, operation) => {
    expect(split(operation, 'name height').parts).toEqual([
      '{__typename id parent{id name}} => name',
      `${whole} => height`,
    ]);
  });

  test('is divided by inputs, which may be missing for different objects', () => {
    const operation = '{ owners { kids { name } ... on Club { kids { height weight } } } }';
    expect(split(operation, 'name height weight').parts).toEqual([
      '{__typename id parent{id}} => name',
      '{__typename id age parent{id}} => height',
      `${whole} => weight`,
    ]);
  });

  test.each([
    ['objects of all types', '{ owners { kids { name height } } }'],
    ['more objects than the others', '{ owners { kids { height } ... on Club { kids { name } } } }'],
    ['each type', '{ owners { ... on Club { kids { name height } } ... on Firm { kids { height } } } }'],
  ])('stays whole when a field with inputs is selected for %s', (_, operation) => {
    const { parts, fetches } = split(operation, 'name height');
    expect(parts).toEqual([`${whole} => name height`]);
    expect(fetches).toHaveLength(1);
  });

  test('is divided when a field with inputs is selected for all objects on each level, but not for all of one', () => {
    const operation = `{ owners {
      ... on Club { friend { kids { name } ... on Club { kids { height } } } }
      ... on Firm { friend { kids { name } ... on Firm { kids { height } } } }
    } }`;
    const path = 'owners.@.friend.kids.@';
    expect(split(operation, 'name height', { path }).parts).toHaveLength(2);
  });

  test('has in each part only the rewrites and variables of its fields', () => {
    const rename = { kind: 'KeyRenamer' as const, path: ['... on Kid', 'other'], renameKeyTo: 'name' };
    const { fetches } = split(
      '{ owners { kids { name } ... on Club { kids { text } } } }',
      'other: name text(locale: $locale)',
      {
        outputRewrites: [rename],
        contextRewrites: [
          { kind: 'KeyRenamer', path: ['..', '... on Club', 'locale'], renameKeyTo: 'locale' },
        ],
      },
    );
    expect(
      fetches.map(({ outputRewrites, contextRewrites, operation }) => [
        outputRewrites?.length,
        contextRewrites?.length,
        operation.includes('$locale'),
      ]),
    ).toEqual([
      [1, 0, false],
      [0, 1, true],
    ]);
  });

  test('stays whole, and has its parts by arguments, when some of its fields take arguments from contexts', () => {
    const rewrite = (key: string) => ({ kind: 'KeyRenamer', path: ['..', key], renameKeyTo: key }) as const;
    const { parts, fetches } = split(
      '{ owners { kids { name height text height } } }',
      'name height text(locale: $locale) age: text(locale: $locale)',
      { contextRewrites: [rewrite('locale')] },
    );
    expect(parts).toEqual([
      `${whole} => name height text(locale: $locale) age: text(locale: $locale)`,
      `${whole} => name height`,
      '{__typename id parent{id name}} => text(locale: $locale) age: text(locale: $locale)',
    ]);
    expect(fetches[0]?.parts).toEqual(fetches.slice(1));
    expect(fetches.map(({ contextRewrites }) => contextRewrites?.length)).toEqual([1, 0, 1]);
  });
});
