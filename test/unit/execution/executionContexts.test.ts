import { expect, test } from '@jest/globals';
import { entityFetch, productInputs, rootFetch } from '../../harness/fetchNodes.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';
import { flattenAt, products, runPlan, sequence } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

test('a step with @fromContext arguments waits for all steps before it', async () => {
  const schema = schemaOf(
    'type Query { user: User } type User { locale: String product: Product } type Product { id: ID! text: String }',
  );
  const { root, deferred } = normalizeText(schema, '{ user { locale ... @defer { product { text } } } }');
  const { client } = runPlan(
    sequence(
      rootFetch('user{product{__typename id}}'),
      rootFetch('user{locale}', { serviceName: 'locales' }),
      flattenAt(
        'user.product',
        entityFetch('text(l:$ctx)', {
          contextRewrites: [{ kind: 'KeyRenamer', path: ['..', 'locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Product{text(l:$ctx)}}}',
        }),
      ),
    ),
    { root, groupCount: deferred.length + 1 },
  );
  await waitForTurns();
  const callTo = (subgraph: string) => client.calls.find(({ request }) => request.subgraph === subgraph);
  callTo('products')?.answer({ data: { user: { product: products('1')[0] } } });
  await waitForTurns();
  expect(callTo('stock')).toBeUndefined();
  callTo('locales')?.answer({ data: { user: { locale: 'de' } } });
  await waitForTurns();
  expect(callTo('stock')?.body.variables).toEqual({ representations: products('1'), ctx: 'de' });
});

test('a @fromContext argument is read from the entity of the fetch when the context is the entity itself', async () => {
  const schema = schemaOf(
    'type Query { user: User } type User { product: Product } type Product { id: ID! locale: String label: Label } type Label { text: String }',
  );
  const { root } = normalizeText(schema, '{ user { product { label { text } } } }');
  const { client } = runPlan(
    sequence(
      rootFetch('user{product{__typename id locale}}'),
      flattenAt(
        'user.product',
        entityFetch('label{text(l:$ctx)}', {
          contextRewrites: [{ kind: 'KeyRenamer', path: ['locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Product{label{text(l:$ctx)}}}}',
        }),
      ),
    ),
    { root },
  );
  await waitForTurns();
  await client.answer(0, { data: { user: { product: { __typename: 'Product', id: '1', locale: 'de' } } } });
  expect(client.calls[1]?.body.variables).toEqual({ representations: products('1'), ctx: 'de' });
});

test('objects of one entity have separate values where a @fromContext argument differs', async () => {
  const { client, execution } = runPlan(
    sequence(
      rootFetch('users{locale product{__typename id}}'),
      flattenAt('users.@.product', entityFetch('vendor{__typename id}')),
      flattenAt(
        'users.@.product.vendor',
        entityFetch('text(l:$ctx)', {
          requires: productInputs('id').map((fragment) => ({ ...fragment, typeCondition: 'Vendor' })),
          contextRewrites: [{ kind: 'KeyRenamer', path: ['..', '..', 'locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Vendor{text(l:$ctx)}}}',
        }),
      ),
    ),
  );
  const users = ['de', 'en'].map((locale) => ({ locale, product: { ...products('1')[0] } }));
  await client.answer(0, { data: { users } });
  await client.answer(1, { data: { _entities: [{ vendor: { __typename: 'Vendor', id: 'v' } }] } });
  await client.answer(2, { data: { _e0: [{ text: 'de' }], _e1: [{ text: 'en' }] } });
  expect(execution.tree).toMatchObject({
    users: [{ product: { vendor: { text: 'de' } } }, { product: { vendor: { text: 'en' } } }],
  });
});

test('only objects whose @fromContext arguments have a value, or null, are fetched', async () => {
  const { client, completedGroups } = runPlan(
    sequence(
      rootFetch('users{locale product{__typename id}}'),
      flattenAt(
        'users.@.product',
        entityFetch('text(l:$ctx)', {
          contextRewrites: [{ kind: 'KeyRenamer', path: ['..', 'locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Product{text(l:$ctx)}}}',
        }),
      ),
    ),
  );
  await waitForTurns();
  const [one, two] = products('1', '2');
  await client.answer(0, { data: { users: [{ product: one }, { locale: null, product: two }] } });
  expect(client.calls.slice(1).map(({ body }) => body.variables)).toEqual([
    { representations: products('2'), ctx: null },
  ]);
  await client.answer(1, { data: { _entities: [{ text: 'two' }] } });
  expect(completedGroups).toEqual([0]);
});

test('the parts of a fetch are sent for objects without the value of a @fromContext argument', async () => {
  const contextRewrites = [{ kind: 'KeyRenamer', path: ['..', 'locale'], renameKeyTo: 'ctx' }] as const;
  const withArgument = (fields: string) =>
    entityFetch(fields, {
      contextRewrites,
      variableUsages: ['ctx'],
      operation: `query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Product{${fields}}}}`,
    });
  const parts = [entityFetch('name'), withArgument('text(l:$ctx)')];
  const { client, execution, completedGroups } = runPlan(
    sequence(
      rootFetch('users{locale product{__typename id}}'),
      flattenAt('users.@.product', { ...withArgument('name text(l:$ctx)'), parts }),
    ),
  );
  const [one, two] = products('1', '2');
  await client.answer(0, { data: { users: [{ product: one }, { locale: 'de', product: two }] } });
  expect(client.calls.slice(1).map(({ body }) => body.variables)).toEqual([
    { representations_0: products('2'), ctx_0: 'de', representations_1: products('1') },
  ]);
  execution.releaseCompleted();
  await client.answer(1, { data: { _e0: [{ name: 'two', text: 'de' }], _e1: [{ name: 'one' }] } });
  expect(execution.tree).toMatchObject({
    users: [{ product: { ...one, name: 'one' } }, { product: { ...two, name: 'two', text: 'de' } }],
  });
  expect(completedGroups).toEqual([0]);
});
