import { expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { executeOnShop, ShopClock } from '../harness/cachedShop.ts';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import { startTestGateway } from '../harness/testGateway.ts';

const rule = { maxAge: '5s', staleIfError: '10m' } as const;
const rulesOf = (...subgraphs: string[]): NonNullable<GatewayOptions['cache']>['rules'] =>
  Object.fromEntries(subgraphs.map((name) => [`subgraph:${name}`, rule]));

/** Without the operation that reads objects that do not exist: a null is never served stale. */
const queries = readDemoOperations().filter(({ kind, name }) => kind === 'query' && name !== 'missingThings');

test.each([
  ['of inventory alone', rulesOf('inventory')],
  ['of all subgraphs', rulesOf('accounts', 'products', 'inventory', 'reviews', 'recommendations')],
])('with rules %s, no operation fails without inventory within `staleIfError`', async (_, rules) => {
  const clock = new ShopClock();
  await using gateway = await startTestGateway({
    config: { cache: { rules } },
    dependencies: { now: clock.now },
  });
  const { inventory } = gateway.subgraphs;
  const before: { operation: (typeof queries)[number]; data: unknown; errors: unknown }[] = [];
  for (const operation of queries) {
    const requestsBefore = inventory.requests.counts.total;
    const { body } = await executeOnShop(gateway.url, operation.source, operation);
    // An operation may need only entities that an earlier one has fetched.
    const { data, errors } = body;
    if (inventory.requests.counts.total > requestsBefore || touchesInventory(operation.source)) {
      before.push({ operation, data, errors });
    }
  }
  expect(before.map(({ operation }) => operation.name)).toEqual(
    expect.arrayContaining(['accountPage', 'compositeKeys', 'productPage', 'shopFront', 'warehouses']),
  );
  expect(before.length).toBeGreaterThan(10);

  await inventory.close();
  clock.advanceSeconds(6);
  for (const { operation, data, errors } of before) {
    const { name } = operation;
    const { body } = await executeOnShop(gateway.url, operation.source, operation);
    expect({ name, data: body.data, errors: body.errors }).toEqual({ name, data, errors });
    expect({ name, extensions: body.extensions }).toEqual({
      name,
      extensions: {
        tributary: expect.objectContaining({
          stale: expect.arrayContaining([expect.objectContaining({ ageMs: 6_000, reason: 'error' })]),
        }),
      },
    });
  }

  clock.advanceSeconds(600);
  const { operation } = before.find(({ operation: { name } }) => name === 'productPage') ?? {};
  const { body } = await executeOnShop(gateway.url, operation?.source ?? '', operation ?? {});
  // The circuit has opened by now.
  expect(body.errors?.map(({ extensions }) => extensions?.code)).toContain('CIRCUIT_OPEN');
});

function touchesInventory(source: string): boolean {
  return /\b(inStock|stock|shippingEstimate|box|warehouses?|lowStock)\b/.test(source);
}
