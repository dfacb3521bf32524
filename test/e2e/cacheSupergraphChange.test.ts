import { readFile, rename, writeFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type CachedShop, startCachedShop } from '../harness/cachedShop.ts';

const query = '{ top { name stock } }';

interface SwitchingShop extends AsyncDisposable {
  readonly shop: CachedShop;
  /** Resolves when the changed supergraph is in use. */
  change(change: (sdl: string) => string): Promise<void>;
}

async function startSwitching(): Promise<SwitchingShop> {
  let taken = (): void => {};
  const write = (line: string): void => {
    if (line.includes('A new supergraph is in use')) taken();
  };
  const shop = await startCachedShop({
    cache: { rules: { 'subgraph:catalog': { maxAge: '1m' }, 'subgraph:stock': { maxAge: '1m' } } },
    config: { security: { introspection: true } },
    isWatching: true,
    dependencies: { logger: pino({ level: 'info' }, { write }) },
  });
  const file = shop.gateway.supergraphFile;
  return {
    shop,
    async change(change) {
      const sdl = await readFile(file, 'utf8');
      const changed = change(sdl);
      expect(changed).not.toBe(sdl);
      const isTaken = new Promise<void>((resolve) => {
        taken = resolve;
      });
      await writeFile(`${file}.next`, changed);
      await rename(`${file}.next`, file);
      await isTaken;
    },
    [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose](),
  };
}

describe('A new supergraph', () => {
  test('uses stored entries of fields that it does not change', async () => {
    await using switching = await startSwitching();
    const { shop, change } = switching;
    const before = await shop.execute(query);
    Object.assign(shop.data, { stock: 8, prefix: 'Thing' });
    await change((sdl) =>
      sdl.replace(/(type Place\b[^{]*\{)/, '$1\n  level: Int @join__field(graph: STOCK)'),
    );
    expect((await shop.execute('{ __type(name: "Place") { fields { name } } }')).body.data).toEqual({
      __type: { fields: expect.arrayContaining([{ name: 'level' }]) },
    });
    expect((await shop.execute(query)).body).toEqual(before.body);
  });

  test('fetches a field again if it changes its type, and no other field', async () => {
    await using switching = await startSwitching();
    const { shop, change } = switching;
    await shop.execute(query);
    Object.assign(shop.data, { stock: 8, prefix: 'Thing' });
    await change((sdl) => sdl.replace('stock: Int ', 'stock: Float '));
    expect((await shop.execute(query)).body).toEqual({ data: { top: { name: 'Product 1', stock: 8 } } });
    expect(shop.catalog.calls).toHaveLength(1);
  });

  test('fetches a field again if it changes its arguments', async () => {
    await using switching = await startSwitching();
    const { shop, change } = switching;
    await shop.execute(query);
    shop.data.stock = 8;
    await change((sdl) => sdl.replace('stock: Int ', 'stock(at: String = "all"): Int '));
    expect((await shop.execute(query)).body).toEqual({ data: { top: { name: 'Product 1', stock: 8 } } });
  });
});
