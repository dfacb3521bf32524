import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { LiveSubgraph } from '../../../../contracts/drift/fetchLiveSubgraphs.ts';
import { defaultGatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import { ContractGuard } from '../../../../gateway/contracts/guard/contractGuard.ts';
import { loadSupergraph } from '../../../../gateway/supergraph/loadSupergraph.ts';
import type { SubgraphAddress } from '../../../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { Gate } from '../../../harness/gate.ts';
import { planInProcess } from '../../../harness/inProcessPlanner.ts';
import { composeOnce } from '../../../harness/shared/compositions.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';
import { testPlanningLimits } from '../../../harness/testPlanningLimits.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const products = `${link}
type Query { product(id: ID!): Product }
type Product @key(fields: "id") { id: ID! name: String price: Int }`;
const productsWithoutPrice = products.replace(' price: Int', '');
const stock = `${link}
type Product @key(fields: "id") { id: ID! inStock: Boolean }`;
const stockWithPrice = stock.replace('inStock', 'price: Int inStock');

const operations = {
  Name: 'query Name { product(id: "1") { name } }',
  Price: 'query Price { product(id: "1") { price } }',
  Stock: 'query Stock { product(id: "1") { inStock } }',
};

type Running = Readonly<Record<string, string | Error>>;

const loaded: Supergraph[] = [];
/** Fetches `product.price` from products. */
let before: Supergraph;
/** Fetches `product.price` from stock. */
let after: Supergraph;

async function load(
  sdls: Readonly<Record<string, string>>,
  host = 'test',
  startThread = planInProcess,
): Promise<Supergraph> {
  const subgraphs = Object.entries(sdls).map(([name, sdl]) => ({
    name,
    url: `http://${name}.${host}/`,
    sdl,
  }));
  const composed = await composeOnce(subgraphs);
  if (!('sdl' in composed)) throw new Error(composed.errors.map(({ message }) => message).join('\n'));
  const supergraph = await loadSupergraph({
    sdl: composed.sdl,
    urls: new Map(),
    planning: testPlanningLimits,
    startThread,
  });
  loaded.push(supergraph);
  return supergraph;
}

beforeAll(async () => {
  before = await load({ products, stock });
  after = await load({ products: productsWithoutPrice, stock: stockWithPrice });
});
afterAll(() => Promise.all(loaded.map(({ planner }) => planner.close())));

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly subgraphs?: readonly string[];
  readonly subgraph?: string;
  readonly reason?: string;
  readonly operations?: readonly string[];
}

/** A guard, its contracts, and fake subgraphs. */
class Shop implements AsyncDisposable {
  readonly disk = new TemporaryContractStore({
    'contracts/schemas/products.graphql': products,
    'contracts/schemas/stock.graphql': stock,
    ...Object.fromEntries(
      Object.entries(operations).map(([name, text]) => [`contracts/operations/shop/${name}.graphql`, text]),
    ),
  });
  readonly lines: LogLine[] = [];
  readonly firstLine = Promise.withResolvers<void>();
  readonly fetched: string[][] = [];
  readonly guard: ContractGuard;
  /** SDL by subgraph name, or by URL when a subgraph runs at two. */
  running: Running;
  /** Subgraphs answer when the gate opens. */
  gate: Gate | undefined;

  constructor(
    running: Running,
    { mode = 'enforce' as const, areSource = false }: { mode?: 'warn' | 'enforce'; areSource?: boolean } = {},
  ) {
    this.running = running;
    this.guard = new ContractGuard({
      limits: defaultGatewaySettings.limits,
      mode,
      directory: this.disk.directory,
      log: pino(
        { level: 'info' },
        {
          write: (line) => {
            this.lines.push(JSON.parse(line));
            this.firstLine.resolve();
          },
        },
      ),
      now: () => 0,
      liveSubgraphs: {
        isCompositionSource: areSource,
        addressesOf: ({ subgraphs }) => [...subgraphs.values()],
        fetchLiveSubgraphs: (addresses, signal) => this.#ask(addresses, signal),
      },
    });
  }

  /** Why the guard refuses the supergraph; `undefined` when it accepts it. */
  admit(next: Supergraph, signal: AbortSignal = new AbortController().signal): Promise<string | undefined> {
    return this.guard.admitSupergraph(next, before, signal).then(
      () => undefined,
      (error: Error) => error.message.replaceAll(this.disk.root, ''),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.guard.close();
    this.disk[Symbol.dispose]();
  }

  async #ask(addresses: readonly SubgraphAddress[], signal: AbortSignal): Promise<readonly LiveSubgraph[]> {
    this.fetched.push(addresses.map(({ url }) => url).sort());
    if (this.gate !== undefined) await Promise.race([this.gate.pass(), abortOf(signal)]);
    return addresses.map((address) => {
      const answer =
        this.running[address.url] ?? this.running[address.name] ?? new Error('there is no server');
      return {
        ...address,
        ...(typeof answer === 'string' ? { sdl: answer } : { unreachable: answer.message }),
      };
    });
  }
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

const refusal = [
  'contracts.guard is enforce, and the supergraph breaks 1 operation of /contracts:',
  'shop/Price (/contracts/operations/shop/Price.graphql:1): its new plan fails on a running subgraph: subgraph "stock" refuses the request: Cannot query field "price" on type "Product" (Product.price); first deploy the version of subgraph "stock" that the supergraph was composed from',
].join('\n');

describe('the contract guard, for a supergraph published before its subgraph,', () => {
  test('refuses it with enforce and names the operations whose new plans fail', async () => {
    await using shop = new Shop({ products, stock });
    expect(await shop.admit(after)).toBe(refusal);
    expect(shop.guard.lastCheck?.broken).toEqual([
      expect.objectContaining({
        consumer: 'shop',
        operation: 'Price',
        coordinates: ['Product.price'],
        subgraphs: ['stock'],
      }),
    ]);
    expect(Object.fromEntries(shop.guard.counts)).toEqual({ fine: 0, broken: 0, refused: 1, undecided: 0 });
    expect(shop.fetched).toEqual([['http://products.test/', 'http://stock.test/']]);
  });

  test('accepts it with warn and logs a warning', async () => {
    await using shop = new Shop({ products, stock }, { mode: 'warn' });
    expect(await shop.admit(after)).toBeUndefined();
    expect(shop.lines).toMatchObject([
      {
        msg: 'A new supergraph breaks operations of the contracts',
        operations: [expect.stringContaining('first deploy the version of subgraph "stock"')],
      },
    ]);
  });

  test('accepts it once the subgraph is deployed, but not when the subgraph does not answer', async () => {
    await using shop = new Shop({ products, stock });
    await shop.admit(after);
    expect(await shop.guard.hasChangedSinceRefusal()).toBe(false);
    shop.running = { products, stock: new Error('it starts') };
    expect(await shop.guard.hasChangedSinceRefusal()).toBe(false);
    shop.running = { products, stock: stockWithPrice };
    expect(await shop.guard.hasChangedSinceRefusal()).toBe(true);
    // Only the subgraph that the supergraph was refused for is fetched again.
    expect(shop.fetched.slice(1)).toEqual(Array.from({ length: 3 }, () => ['http://stock.test/']));
    expect(await shop.admit(after)).toBeUndefined();
    expect(shop.guard.refused).toBeUndefined();
    expect(await shop.guard.hasChangedSinceRefusal()).toBe(false);
  });

  test('checks it again when the contracts change, without fetching subgraphs', async () => {
    await using shop = new Shop({ products, stock });
    await shop.admit(after);
    shop.disk.remove('contracts/operations/shop/Price.graphql');
    expect(await shop.guard.hasChangedSinceRefusal()).toBe(true);
    expect(shop.fetched).toHaveLength(1);
    expect(await shop.admit(after)).toBeUndefined();
  });

  test.each([
    ['the operation', 'shop/Price'],
    ['what is lacking', 'Product.price'],
  ])('accepts it with a waiver for %s', async (_what, coordinate) => {
    await using shop = new Shop({ products, stock });
    shop.disk.write({
      'contracts/waivers.yaml': `- rule: override-added\n  coordinate: ${coordinate}\n  reason: It is soon there.\n  owner: shop\n  expires: 2999-12-31\n`,
    });
    expect(await shop.admit(after)).toBeUndefined();
  });
});

describe('the contract guard accepts a supergraph', () => {
  test('whose subgraphs are deployed', async () => {
    await using shop = new Shop({ products, stock: stockWithPrice });
    expect(await shop.admit(after)).toBeUndefined();
    expect(shop.lines).toEqual([]);
  });

  test.each([
    ['does not answer', new Error('no answer within 3000 ms'), 'no answer within 3000 ms'],
    ['gives no schema', 'type Query {', expect.stringContaining('Syntax Error')],
    ['gives a schema that makes no sense', 'type Query { a: Nothing }', expect.stringContaining('Nothing')],
  ])('whose subgraph %s, and logs it', async (_what, answer, reason) => {
    await using shop = new Shop({ products, stock: answer });
    expect(await shop.admit(after)).toBeUndefined();
    expect(shop.lines).toMatchObject([
      {
        msg: 'A running subgraph did not give its schema: it is not verified with the new supergraph',
        subgraph: 'stock',
        reason,
      },
    ]);
  });

  test('that breaks only operations which already fail', async () => {
    await using shop = new Shop({ products: productsWithoutPrice, stock });
    expect(await shop.admit(after)).toBeUndefined();
  });

  test('that the gateway composed itself without fetching, but fetches again after a refusal', async () => {
    await using shop = new Shop({ products, stock }, { areSource: true });
    expect(await shop.admit(after)).toBeUndefined();
    expect(shop.fetched).toEqual([]);
    const withoutName = await load({ products: products.replace(' name: String', ''), stock });
    expect(await shop.admit(withoutName)).toContain('shop/Name');
    shop.disk.remove('contracts/operations/shop/Name.graphql');
    expect(await shop.admit(withoutName)).toBeUndefined();
    expect(shop.fetched).toHaveLength(1);
  });
});

test('the contract guard verifies new plans at the new URL of a moved subgraph, and current plans at the old URL', async () => {
  const moved = await load({ products: productsWithoutPrice, stock: stockWithPrice }, 'elsewhere');
  await using shop = new Shop({
    'http://products.test/': products,
    'http://stock.test/': stock,
    'http://products.elsewhere/': productsWithoutPrice,
    'http://stock.elsewhere/': stock,
  });
  expect(await shop.admit(moved)).toBe(refusal);
  shop.running = { ...shop.running, 'http://stock.elsewhere/': stockWithPrice };
  expect(await shop.guard.hasChangedSinceRefusal()).toBe(true);
  expect(await shop.admit(moved)).toBeUndefined();
});

test('the contract guard stops a check when a newer supergraph arrives although a subgraph does not answer', async () => {
  await using shop = new Shop({ products, stock });
  shop.gate = new Gate();
  const stop = new AbortController();
  const admitted = shop.admit(after, stop.signal);
  await shop.gate.waitForArrivals();
  stop.abort(new Error('overtaken'));
  expect(await admitted).toBe('overtaken');
  expect(Object.fromEntries(shop.guard.counts)).toEqual({ fine: 0, broken: 0, refused: 0, undecided: 0 });
});

test('the contract guard ends the check of the first supergraph when another one comes into use', async () => {
  await using shop = new Shop({});
  const planning = new Gate();
  const first = await load({ products, stock }, 'first', async (options) => {
    const thread = await planInProcess(options, undefined);
    return { ...thread, plan: (...args) => planning.pass().then(() => thread.plan(...args)) };
  });
  shop.guard.onSupergraph(first);
  await planning.waitForArrivals();
  shop.guard.onSupergraph(before);
  // As the switch does when no operation uses the first one any more.
  await first.planner.close();
  planning.open();
  while (shop.guard.lastCheck?.supergraph !== before.id) await waitForTurns();
  expect(shop.lines).toEqual([]);
  expect(Object.fromEntries(shop.guard.counts)).toEqual({ fine: 1, broken: 0, refused: 0, undecided: 0 });
});

test('the contract guard shows the refusal of a newer supergraph although the check of the first one ends later', async () => {
  await using shop = new Shop({ products, stock });
  const planning = new Gate();
  const first = await load({ products, stock }, 'first', async (options) => {
    const thread = await planInProcess(options, undefined);
    return { ...thread, plan: (...args) => planning.pass().then(() => thread.plan(...args)) };
  });
  shop.guard.onSupergraph(first);
  await planning.waitForArrivals();
  expect(await shop.admit(after)).toBe(refusal);
  planning.open();
  while (shop.guard.counts.get('fine') !== 1) await waitForTurns();
  expect(shop.guard.lastCheck).toMatchObject({ supergraph: after.id, outcome: 'refused' });
});

describe('the contract guard, for a first supergraph without a subgraph of the contracts,', () => {
  const firstMessages = async (areSource: boolean) => {
    await using shop = new Shop({}, { areSource });
    const alone = await load({ products });
    shop.guard.onSupergraph(alone);
    await shop.firstLine.promise;
    return shop.lines.map(({ level, msg, subgraphs, operations: broken }) => [
      level,
      msg,
      subgraphs,
      broken?.length,
    ]);
  };

  test('warns that the contracts are those of another graph when the configuration lists the subgraphs', async () => {
    expect(await firstMessages(true)).toEqual([
      [
        40,
        'The contracts are about subgraphs that the configuration does not list: correct contracts.directory, or set contracts.guard to off',
        ['stock'],
        1,
      ],
    ]);
  });

  test('reports an error when the supergraph comes from elsewhere', async () => {
    expect(await firstMessages(false)).toStrictEqual([
      [
        50,
        'The first supergraph breaks operations of the contracts, and is used because there is no other',
        undefined,
        1,
      ],
    ]);
  });
});
