import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import {
  type ConfiguredEnrichments,
  readEnrichmentRules,
} from '../../../gateway/enrichment/enrichmentRules.ts';
import { directiveImportCases, rulesOf, withEnrichment } from './enrichedSubgraphs.ts';

/** The rules of a schema without subgraphs that imports `@enrichment`. */
function rulesIn(sdl: string, fields: ConfiguredEnrichments['fields'] = {}) {
  const document = parse(`
    schema @link(url: "https://tributary.dev/spec/v1.0", import: ["@enrichment"]) {
      query: Query ${sdl.includes('type Mutation') ? 'mutation: Mutation' : ''}
      ${sdl.includes('type Subscription') ? 'subscription: Subscription' : ''}
    }
    directive @link(url: String, import: [String]) on SCHEMA
    directive @enrichment(budget: String, priority: EnrichmentPriority) repeatable on FIELD_DEFINITION | OBJECT
    enum EnrichmentPriority { CRITICAL NORMAL BACKGROUND }
    ${sdl}`);
  const apiSchema = buildSchema(
    sdl.replaceAll(/@enrichment(\([^)]*\))?/g, '').replace(/^\s*directive.*$/gm, ''),
    { assumeValidSDL: true },
  );
  return readEnrichmentRules({ document, apiSchema, configured: { fields, budget: 100 } });
}

describe('@enrichment', () => {
  test.each(directiveImportCases)('declares a rule when its import is $kind', async ({ name, link }) => {
    const { rules, problems, unknown, warnings } = await rulesOf({
      shop: withEnrichment(
        `type Query { top: Product }
         type Product @key(fields: "id") {
           id: ID!
           similar: [Product!] @${name}(budget: "50ms", priority: BACKGROUND)
           badges: [String!] @${name}
         }`,
        { name, link },
      ),
    });
    expect({ problems, unknown, warnings }).toEqual({
      problems: [],
      unknown: [],
      warnings: [],
    });
    expect(rules.isEmpty).toBe(false);
    expect(rules.ruleOf('Product', 'similar')).toEqual({
      coordinate: 'Product.similar',
      budgetMs: 50,
      priority: 'BACKGROUND',
    });
    expect(rules.ruleOf('Product', 'badges')).toEqual({
      coordinate: 'Product.badges',
      budgetMs: undefined,
      priority: 'NORMAL',
    });
    expect(rules.ruleOf('Product', 'similar')).toBe(rules.ruleOf('Product', 'similar'));
    expect(rules.ruleOf('Product', 'id')).toBeUndefined();
    expect(rules.ruleOf('Query', 'similar')).toBeUndefined();
    expect(rules.ruleOf('Nothing', 'constructor')).toBeUndefined();
  });

  test('is ignored in a schema that does not link to the specification', () => {
    const sdl = 'type Query { a: Int @enrichment(budget: "5 sec") }';
    const { rules, problems } = readEnrichmentRules({
      document: parse(sdl),
      apiSchema: buildSchema('type Query { a: Int }'),
      configured: { fields: {}, budget: 100 },
    });
    expect(problems).toEqual([]);
    expect(rules.isEmpty).toBe(true);
    expect(rules.ruleOf('Query', 'a')).toBeUndefined();
  });

  test.each([
    [
      'budget: "5 sec"',
      'budget of @enrichment is "5 sec"; expected a duration such as 50ms or 1s, at most 596h',
    ],
    [
      'budget: "-5ms"',
      'budget of @enrichment is "-5ms"; expected a duration such as 50ms or 1s, at most 596h',
    ],
    [
      'budget: "600h"',
      'budget of @enrichment is "600h"; expected a duration such as 50ms or 1s, at most 596h',
    ],
    ['budget: 50', 'budget of @enrichment is 50; expected a duration such as 50ms or 1s, at most 596h'],
    ['priority: URGENT', 'priority of @enrichment is URGENT; expected CRITICAL, NORMAL or BACKGROUND'],
    ['priority: 1', 'priority of @enrichment is 1; expected CRITICAL, NORMAL or BACKGROUND'],
  ])('is a problem with its coordinate and value when it has an invalid argument: %s', (args, problem) => {
    const { problems } = rulesIn(
      `type Query { top: Product } type Product { similar: Int @enrichment(${args}) }`,
    );
    expect(problems).toEqual([`Product.similar: ${problem}`]);
  });

  test('is a problem for each invalid argument, and on a type', () => {
    const { problems } = rulesIn(
      'type Query @enrichment { a: Int @enrichment(budget: "", priority: LOW) b: Int @enrichment(budget: "soon") }',
    );
    expect(problems).toEqual([
      'Query: @enrichment is on a type; expected on its fields',
      'Query.a: budget of @enrichment is ""; expected a duration such as 50ms or 1s, at most 596h',
      'Query.a: priority of @enrichment is LOW; expected CRITICAL, NORMAL or BACKGROUND',
      'Query.b: budget of @enrichment is "soon"; expected a duration such as 50ms or 1s, at most 596h',
    ]);
  });

  test('treats null as an omitted argument, and a string as an enum value', () => {
    const { rules, problems } = rulesIn(
      'type Query { a: Int @enrichment(budget: null, priority: null) b: Int @enrichment(priority: "CRITICAL") }',
    );
    expect(problems).toEqual([]);
    expect(rules.ruleOf('Query', 'a')).toMatchObject({ budgetMs: undefined, priority: 'NORMAL' });
    expect(rules.ruleOf('Query', 'b')).toMatchObject({ budgetMs: undefined, priority: 'CRITICAL' });
  });

  test('several times on a field gives the smallest budget and the highest priority', () => {
    const { rules } = rulesIn(`type Query {
      a: Int @enrichment(budget: "80ms") @enrichment(budget: "30ms", priority: BACKGROUND)
      b: Int @enrichment(priority: BACKGROUND) @enrichment(budget: "2s", priority: BACKGROUND)
    }`);
    expect(rules.ruleOf('Query', 'a')).toMatchObject({ budgetMs: 30, priority: 'NORMAL' });
    // An omitted budget is the default of 100 ms.
    expect(rules.ruleOf('Query', 'b')).toMatchObject({ budgetMs: undefined, priority: 'BACKGROUND' });
  });

  test('is ignored on an inaccessible field', async () => {
    const { rules, unknown } = await rulesOf({
      shop: withEnrichment('type Query { a: Int  b: Int @enrichment @inaccessible }'),
    });
    expect(rules.isEmpty).toBe(true);
    expect(unknown).toEqual([]);
  });
});

describe('enrichment.fields', () => {
  test('declares rules, and overrides the directive argument by argument', () => {
    const { rules } = rulesIn(
      `type Query {
        a: Int
        b: Int @enrichment(budget: "30ms", priority: CRITICAL)
        c: Int @enrichment(budget: "30ms", priority: CRITICAL)
        d: Int @enrichment(budget: "30ms", priority: CRITICAL)
        e: Int
      }`,
      {
        'Query.a': {},
        'Query.b': { budget: 0 },
        'Query.c': { priority: 'BACKGROUND' },
        'Query.d': { budget: 70, priority: 'NORMAL' },
      },
    );
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => rules.ruleOf('Query', name));
    expect(all).toEqual([
      { coordinate: 'Query.a', budgetMs: undefined, priority: 'NORMAL' },
      { coordinate: 'Query.b', budgetMs: 0, priority: 'CRITICAL' },
      { coordinate: 'Query.c', budgetMs: 30, priority: 'BACKGROUND' },
      { coordinate: 'Query.d', budgetMs: 70, priority: 'NORMAL' },
      undefined,
    ]);
  });

  test('reports coordinates that the schema does not have', () => {
    const { rules, unknown } = rulesIn(
      'type Query { a: Int any: Either } type Other { b: Int } union Either = Other input In { c: Int }',
      {
        'Query.x': {},
        'Nothing.a': {},
        'Either.b': {},
        'In.c': {},
        'Query.constructor': {},
        'Query.anny': {},
        'Other.b': {},
      },
    );
    expect(unknown).toEqual([
      { key: 'Query.x', reason: 'Query has no field x' },
      { key: 'Nothing.a', reason: 'there is no object type or interface Nothing' },
      { key: 'Either.b', reason: 'there is no object type or interface Either; did you mean `Other`?' },
      { key: 'In.c', reason: 'there is no object type or interface In' },
      { key: 'Query.constructor', reason: 'Query has no field constructor' },
      { key: 'Query.anny', reason: 'Query has no field anny; did you mean `any`?' },
    ]);
    expect(rules.ruleOf('Other', 'b')).toBeDefined();
  });
});

describe('a rule on an interface', () => {
  const items = (fields: { item?: string; book?: string; pen?: string }) => `
    type Query { items: [Item] }
    interface Item { similar: Int ${fields.item ?? ''} }
    type Book implements Item { similar: Int ${fields.book ?? ''} pages: Int }
    type Pen implements Item { similar: Int ${fields.pen ?? ''} }`;

  test('applies to the types that have no declaration of their own', () => {
    const { rules } = rulesIn(
      items({ item: '@enrichment(budget: "50ms", priority: CRITICAL)', pen: '@enrichment(budget: "70ms")' }),
    );
    expect(rules.ruleOf('Item', 'similar')).toEqual({
      coordinate: 'Item.similar',
      budgetMs: 50,
      priority: 'CRITICAL',
    });
    expect(rules.ruleOf('Book', 'similar')).toEqual({
      coordinate: 'Book.similar',
      budgetMs: 50,
      priority: 'CRITICAL',
    });
    expect(rules.ruleOf('Pen', 'similar')).toEqual({
      coordinate: 'Pen.similar',
      budgetMs: 70,
      priority: 'NORMAL',
    });
  });

  test('exists when all its types have one, with the smallest budget and the highest priority', () => {
    const { rules } = rulesIn(
      items({
        book: '@enrichment(budget: "50ms", priority: BACKGROUND)',
        pen: '@enrichment(budget: "70ms")',
      }),
    );
    expect(rules.ruleOf('Item', 'similar')).toEqual({
      coordinate: 'Item.similar',
      budgetMs: 50,
      priority: 'NORMAL',
    });
  });

  test('does not exist when one of its types has none', () => {
    const { rules } = rulesIn(items({ book: '@enrichment' }));
    expect(rules.ruleOf('Item', 'similar')).toBeUndefined();
    expect(rules.ruleOf('Pen', 'similar')).toBeUndefined();
    expect(rules.ruleOf('Book', 'similar')).toBeDefined();
  });

  test('combines with those of other interfaces: the smallest budget, the highest priority', () => {
    const { rules } = rulesIn(`
      type Query { node: Node }
      interface Node { info: Int @enrichment(budget: "50ms", priority: BACKGROUND) }
      interface Named { info: Int @enrichment(budget: "80ms", priority: CRITICAL) }
      interface Thing implements Node { info: Int }
      type Lamp implements Node & Named & Thing { info: Int }`);
    expect(rules.ruleOf('Lamp', 'info')).toMatchObject({ budgetMs: 50, priority: 'CRITICAL' });
    expect(rules.ruleOf('Thing', 'info')).toMatchObject({ budgetMs: 50, priority: 'BACKGROUND' });
  });

  test('combines with those of other interfaces that have the default budget', () => {
    const budgetWith = (budget: string) =>
      rulesIn(`
        type Query { lamp: Lamp }
        interface Node { info: Int @enrichment }
        interface Named { info: Int @enrichment(budget: "${budget}") }
        type Lamp implements Node & Named { info: Int }`).rules.ruleOf('Lamp', 'info')?.budgetMs;
    expect([budgetWith('99ms'), budgetWith('101ms')]).toStrictEqual([99, undefined]);
  });

  test('from an @interfaceObject applies to the types that other subgraphs define', async () => {
    const { rules } = await rulesOf({
      shop: withEnrichment(
        `type Query { items: [Item!]! }
         interface Item @key(fields: "id") { id: ID! }
         type Book implements Item @key(fields: "id") { id: ID! }`,
      ),
      similar: withEnrichment(
        `type Item @key(fields: "id") @interfaceObject { id: ID! similar: Int @enrichment(budget: "50ms") }`,
      ),
    });
    expect(rules.ruleOf('Item', 'similar')).toMatchObject({ budgetMs: 50 });
    expect(rules.ruleOf('Book', 'similar')).toMatchObject({ coordinate: 'Book.similar', budgetMs: 50 });
  });
});

describe('readEnrichmentRules warns', () => {
  const nonDeferrable = (coordinate: string) =>
    `${coordinate}: every answer waits for this enrichment, because neither the field nor any position on the path to it is nullable`;

  test.each([
    ['none for a nullable field', 'type Query { a: Int @enrichment }', []],
    ['one for a non-null root field', 'type Query { a: Int! @enrichment }', [nonDeferrable('Query.a')]],
    [
      'one for a non-null list, although its elements are nullable',
      'type Query { a: [Int]! @enrichment }',
      [nonDeferrable('Query.a')],
    ],
    [
      'one when all positions on the path are non-null',
      'type Query { all: [[Product!]!]! } type Product { maker: Maker! } type Maker { a: Int! @enrichment }',
      [nonDeferrable('Maker.a')],
    ],
    [
      'none when a list element on the path is nullable',
      'type Query { all: [Product]! } type Product { maker: Maker! } type Maker { a: Int! @enrichment }',
      [],
    ],
    [
      'none when another path has a nullable position',
      'type Query { first: Maker! all: Shop } type Shop { maker: Maker! } type Maker { a: Int! @enrichment }',
      [],
    ],
    [
      'none when a cyclic path has a nullable position',
      'type Query { first: Maker! } type Maker { a: Int! @enrichment next: Maker }',
      [],
    ],
    [
      'one when a cyclic path has no nullable position',
      'type Query { first: Maker! } type Maker { a: Int! @enrichment next: Maker! others: [Maker!]! }',
      [nonDeferrable('Maker.a')],
    ],
    ['none for a type that no query reaches', 'type Query { b: Int } type Maker { a: Int! @enrichment }', []],
    [
      'one for an interface whose types all have a non-null field',
      'type Query { item: Item! } interface Item { a: Int @enrichment } type Book implements Item { a: Int! }',
      [nonDeferrable('Item.a')],
    ],
    [
      'none for an interface one of whose types has a nullable field',
      `type Query { item: Item! } interface Item { a: Int @enrichment }
       type Book implements Item { a: Int! } type Pen implements Item { a: Int }`,
      [],
    ],
    [
      'none when a path through a union has a nullable position',
      'type Query { any: Any! } union Any = Book | Pen type Book { pen: Pen } type Pen { a: Int! @enrichment }',
      [],
    ],
  ])('about fields that every answer waits for: %s', (_, sdl, warnings) => {
    expect(rulesIn(sdl).warnings).toEqual(warnings);
  });

  test('about fields of mutations and subscriptions, which get no rule', () => {
    const { rules, warnings } = rulesIn(
      `type Query { b: Int @enrichment }
       type Mutation { add: Product @enrichment }
       type Subscription { added: Product! }
       type Product { similar: Int @enrichment }`,
      { 'Subscription.added': { budget: 50 } },
    );
    expect(warnings).toEqual([
      'Mutation.add: an enrichment has no effect here, because a mutation answers when it is complete',
      'Subscription.added: an enrichment has no effect here, because a subscription waits for the event itself',
    ]);
    expect(rules.ruleOf('Mutation', 'add')).toBeUndefined();
    expect(rules.ruleOf('Subscription', 'added')).toBeUndefined();
    expect(rules.ruleOf('Product', 'similar')).toBeDefined();
    const onlyMutation = rulesIn('type Query { b: Int } type Mutation { add: Int @enrichment }');
    expect(onlyMutation.rules.isEmpty).toBe(true);
  });
});
