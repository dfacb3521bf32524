import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createGateway, type GatewayDependencies, type GatewayOptions } from '../../gateway/gateway.ts';
import { Changes } from '../harness/changes.ts';
import { composeSubgraphs } from '../harness/composeSubgraphs.ts';
import { runDrift, summarizeFindings } from '../harness/driftCommand.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { ManualInterval } from '../harness/manualInterval.ts';
import { postJson } from '../harness/postJson.ts';
import type { GivenSubgraph } from '../harness/shared/compositions.ts';
import { SwappableSubgraph } from '../harness/swappableSubgraph.ts';
import { TemporaryContractStore } from '../harness/temporaryContractStore.ts';
import { noShedding } from '../harness/testGateway.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n';
const products = `${federation}
type Query {
  product(id: ID!): Product
}
type Product @key(fields: "id") {
  id: ID!
  name: String
  price: Int
  unused: Int
}
`;
const withoutPrice = products.replace('  price: Int\n', '');
const reviews = `${federation}
type Product @key(fields: "id") {
  id: ID!
  reviews: [String!]
}
`;
const operations = {
  Name: 'query Name($id: ID!) { product(id: $id) { name } }',
  Price: 'query Price($id: ID!) { product(id: $id) { price } }',
  Reviews: 'query Reviews($id: ID!) { product(id: $id) { name reviews } }',
};
type OperationName = keyof typeof operations;
const names = Object.keys(operations) as OperationName[];
const answers: Record<OperationName, unknown> = {
  Name: { product: { name: 'Cup' } },
  Price: { product: { price: 5 } },
  Reviews: { product: { name: 'Cup', reviews: ['good'] } },
};

const reviewsWithPrice = reviews.replace('  reviews:', '  price: Int\n  reviews:');

interface LogLine {
  readonly msg: string;
  readonly count?: number;
  readonly operations?: readonly string[];
  readonly problems?: readonly string[];
  readonly breaks?: readonly string[];
}

/** Where the gateway gets its supergraph from: a file; its own composition of the running subgraphs, in a thread; or the
 *  same composition in this thread. */
type SourceKind = 'file' | 'subgraphs' | 'load';

/** The shop, its contracts, and a gateway in front of it. */
class Guarded implements AsyncDisposable {
  readonly products: SwappableSubgraph;
  readonly reviews: SwappableSubgraph;
  readonly disk: TemporaryContractStore;
  readonly lines: LogLine[] = [];
  url = '';
  adminUrl = '';
  readonly #cleanups: (() => unknown)[] = [];
  readonly #logged = new Changes();

  private constructor(
    productsSubgraph: SwappableSubgraph,
    reviewsSubgraph: SwappableSubgraph,
    disk: TemporaryContractStore,
  ) {
    this.products = productsSubgraph;
    this.reviews = reviewsSubgraph;
    this.disk = disk;
  }

  static async start(
    contracts: GatewayOptions['contracts'],
    {
      runs = products,
      source = 'load',
      parts = {},
    }: {
      runs?: string;
      source?: SourceKind;
      parts?: Pick<GatewayDependencies, 'timers' | 'now'>;
    } = {},
  ): Promise<Guarded> {
    const product = { id: '1', name: 'Cup', price: 5, unused: 0 };
    const first = await SwappableSubgraph.start(runs, { Query: { product: () => product } });
    const second = await SwappableSubgraph.start(reviews, {
      Product: { __resolveReference: ({ id }: { id: string }) => ({ id, price: 5, reviews: ['good'] }) },
    });
    const disk = new TemporaryContractStore({
      'contracts/schemas/products.graphql': products,
      'contracts/schemas/reviews.graphql': reviews,
      ...Object.fromEntries(
        Object.entries(operations).map(([name, text]) => [`contracts/operations/shop/${name}.graphql`, text]),
      ),
    });
    const shop = new Guarded(first, second, disk);
    shop.#cleanups.push(
      () => disk[Symbol.dispose](),
      () => first[Symbol.asyncDispose](),
      () => second[Symbol.asyncDispose](),
    );
    await shop.publish(shop.#running());
    const gateway = await createGateway(
      {
        listen: { port: 0, drainTimeout: 100 },
        admin: { port: 0 },
        overload: noShedding,
        supergraph: shop.#sourceOf(source),
        // Each check against running subgraphs starts a thread, which needs half a second of CPU time. Two tests have one.
        contracts: { directory: disk.directory, schemaTimeout: 0, ...contracts },
      },
      {
        startPlannerThread: planInProcess,
        ...parts,
        logger: pino({ level: 'debug' }, { write: (line) => shop.#log(JSON.parse(line)) }),
      },
    );
    shop.#cleanups.push(() => gateway.close());
    Object.assign(shop, await gateway.start());
    return shop;
  }

  /** Writes the supergraph of these subgraphs to the gateway's file. */
  async publish(subgraphs: readonly GivenSubgraph[]): Promise<void> {
    this.disk.write({ 'supergraph.graphql': await composeSubgraphs(subgraphs) });
  }

  #sourceOf(kind: SourceKind): GatewayOptions['supergraph'] {
    if (kind === 'file') return { file: this.disk.path('supergraph.graphql'), watch: true };
    if (kind === 'load') return { load: () => composeSubgraphs(this.#running()), pollInterval: 100 };
    // Each poll starts a thread. Without a pause between them, one of them would always compute.
    return { subgraphs: this.#running().map(({ name, url }) => ({ name, url })), pollInterval: 1_000 };
  }

  #running(): readonly GivenSubgraph[] {
    const { products: one, reviews: other } = this;
    return [
      { name: 'products', url: one.url, sdl: one.sdl },
      { name: 'reviews', url: other.url, sdl: other.sdl },
    ];
  }

  #log(line: LogLine): void {
    this.lines.push(line);
    this.#logged.notify();
  }

  /** Resolves with the log lines of this message when there are `count` of them. */
  async logged(msg: string, count = 1): Promise<readonly LogLine[]> {
    const found = () => this.lines.filter((line) => line.msg === msg);
    await this.#logged.until(() => found().length >= count);
    return found();
  }

  async ask(name: OperationName): Promise<{ readonly data?: unknown; readonly errors?: unknown }> {
    const response = await postJson(this.url, { query: operations[name], variables: { id: '1' } });
    return (await response.json()) as { data?: unknown; errors?: unknown };
  }

  async admin<Answer>(path: string): Promise<Answer> {
    return (await (await fetch(new URL(path, this.adminUrl))).json()) as Answer;
  }

  async metric(line: string): Promise<string | undefined> {
    const text = await (await fetch(new URL('/metrics', this.adminUrl))).text();
    return text
      .split('\n')
      .find((one) => one.startsWith(`${line} `))
      ?.slice(line.length + 1);
  }

  /** Fetches `path` now and after each drift check until the answer satisfies `isSo`. */
  async becomes<Answer>(path: string, isSo: (answer: Answer) => boolean): Promise<Answer> {
    for (;;) {
      const looks = this.lines.filter(({ msg }) => msg === looked).length;
      const answer = await this.admin<Answer>(path);
      if (isSo(answer)) return answer;
      await this.logged(looked, looks + 1);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }
}

interface SupergraphAnswer {
  readonly supergraph: { readonly id: string } | null;
  readonly lastRefusal: string | null;
}

interface GuardCheckAnswer {
  readonly outcome: string;
  readonly broken: readonly unknown[];
  readonly brokenCount: number;
}

interface ContractsAnswer {
  readonly guard: string;
  readonly store: { readonly operations: number } | null;
  readonly lastCheck: GuardCheckAnswer | null;
  readonly refusals: readonly GuardCheckAnswer[];
  readonly drift: {
    readonly lastCheckAt: string | null;
    readonly subgraphs: readonly {
      readonly name: string;
      readonly state: string;
      readonly breaks: readonly string[];
      readonly breaksCount: number;
      readonly refusal?: string;
    }[];
    readonly findings: readonly unknown[];
  } | null;
}

const refused = 'The new supergraph was refused';
const drifts = 'A subgraph serves another schema than its contract';
const driftIsOver = 'A subgraph serves its contract again';
const refusesPlans = 'A subgraph refuses a fetch that was planned for it: it has drifted';
const inUse = 'A new supergraph is in use';
const looked = 'The running subgraphs were compared with the contracts';

/** Starts a client that sends every operation repeatedly, and leaves the machine to the gateway in between. `stop` returns
 *  the operations that failed. */
function load(shop: Guarded): { stop(): Promise<ReadonlySet<OperationName>> } {
  const failed = new Set<OperationName>();
  let isOver = false;
  const sendAll = async (): Promise<void> => {
    while (!isOver) {
      for (const name of names) {
        const answer = await shop.ask(name);
        if (JSON.stringify(answer) !== JSON.stringify({ data: answers[name] })) failed.add(name);
      }
      await setTimeout(5);
    }
  };
  const client = sendAll();
  return {
    async stop() {
      isOver = true;
      await client;
      return failed;
    },
  };
}

describe('contracts.guard: enforce', () => {
  test('refuses the supergraph of a drifted subgraph under load, and only the missing field fails until the subgraph is back', async () => {
    await using shop = await Guarded.start(
      { guard: 'enforce', driftInterval: '1s', schemaTimeout: '1m' },
      { source: 'subgraphs' },
    );
    const before = await shop.admin<SupergraphAnswer>('/supergraph');
    const client = load(shop);
    shop.products.deploy(withoutPrice);
    await shop.logged(refused);
    await shop.becomes<ContractsAnswer>(
      '/contracts',
      ({ drift }) => drift?.subgraphs.some(({ breaks }) => breaks.length > 0) === true,
    );

    const after = await shop.admin<SupergraphAnswer>('/supergraph');
    expect(after.supergraph?.id).toBe(before.supergraph?.id);
    expect(after.lastRefusal).toContain('shop/Price');
    expect(after.lastRefusal).toContain('Cannot query field "price" on type "Product".');
    expect(await shop.admin('/health/ready')).toEqual({
      status: 'ready',
      supergraph: before.supergraph?.id,
      notes: [
        {
          code: 'SUPERGRAPH_REFUSED',
          message: 'The newest supergraph is not used: it breaks shop/Price.',
        },
        { code: 'CONTRACT_DRIFT', message: expect.stringContaining('products serves another schema') },
      ],
    });
    expect(await shop.metric('tributary_contract_supergraphs_total{outcome="refused"}')).toBe('1');
    expect(await shop.metric('tributary_contract_broken_operations')).toBe('1');
    expect(await shop.metric('tributary_contract_drift{subgraph="products"}')).toBe('1');
    expect(await shop.metric('tributary_contract_drift{subgraph="reviews"}')).toBe('0');
    expect(await shop.admin('/contracts')).toMatchObject({
      guard: 'enforce',
      store: { subgraphs: 2, operations: 3, problems: [] },
      lastCheck: { outcome: 'refused', broken: [{ consumer: 'shop', operation: 'Price' }] },
      refusals: [{ broken: [{ operation: 'Price' }] }],
      drift: {
        subgraphs: [
          { name: 'products', state: 'drifted', breaks: ['shop/Price'] },
          { name: 'reviews', state: 'as agreed' },
        ],
      },
    });
    expect(await client.stop()).toEqual(new Set(['Price']));

    shop.products.deploy(products);
    await shop.logged(driftIsOver);
    await shop.becomes<SupergraphAnswer>('/supergraph', ({ lastRefusal }) => lastRefusal === null);
    expect(await shop.admin('/health/ready')).toEqual({ status: 'ready', supergraph: before.supergraph?.id });
    expect(await shop.metric('tributary_contract_broken_operations')).toBe('0');
    const back = load(shop);
    await shop.ask('Price');
    expect(await back.stop()).toEqual(new Set());
  });

  test('names the first of many broken operations in the notes, the log and the insights, counts the others, and has all of them in GET /contracts', async () => {
    const timers = new ManualInterval(3_600_000);
    await using shop = await Guarded.start({ guard: 'enforce', driftInterval: '1h' }, { parts: { timers } });
    const many = Array.from({ length: 130 }, (_, index) => `Price${index}`);
    shop.disk.write(
      Object.fromEntries(
        many.map((name) => [
          `contracts/operations/web/${name}.graphql`,
          operations.Price.replace('Price', name),
        ]),
      ),
    );
    shop.products.deploy(withoutPrice);
    await shop.logged(refused);
    await timers.fire();
    const broken = ({ lastCheck, refusals }: ContractsAnswer) =>
      [lastCheck, ...refusals].map((check) => [check?.broken.length, check?.brokenCount]);
    const drifted = ({ drift }: ContractsAnswer) =>
      drift?.subgraphs.map(({ breaks, breaksCount }) => [breaks.length, breaksCount]);
    const all = await shop.becomes<ContractsAnswer>(
      '/contracts',
      ({ drift }) => drift?.subgraphs.some(({ state }) => state === 'drifted') === true,
    );
    expect([broken(all), drifted(all), all.drift?.findings.length !== 0]).toEqual([
      [
        [131, 131],
        [131, 131],
      ],
      [
        [131, 131],
        [0, 0],
      ],
      true,
    ]);
    const { contracts } = await shop.admin<{ contracts: ContractsAnswer }>('/insights/data');
    expect([broken(contracts), drifted(contracts), contracts.drift?.findings]).toEqual([
      [
        [100, 131],
        [100, 131],
      ],
      [
        [100, 131],
        [0, 0],
      ],
      [],
    ]);
    const { notes } = await shop.admin<{ notes: readonly { readonly message: string }[] }>('/health/ready');
    expect(notes.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^The newest supergraph is not used: it breaks shop\/Price(, web\/Price\d+){19}, and 111 more\.$/,
      ),
      expect.stringMatching(/It breaks shop\/Price(, web\/Price\d+){19}, and 111 more\.$/),
    ]);
    const [drift] = await shop.logged(drifts);
    expect([drift?.count, drift?.breaks?.length]).toEqual([131, 20]);
  });

  test('holds a supergraph back under load until its subgraph is deployed, and no request fails', async () => {
    const timers = new ManualInterval(3_600_000);
    await using shop = await Guarded.start(
      { guard: 'enforce', driftInterval: '1h', schemaTimeout: '1m' },
      { source: 'file', parts: { timers } },
    );
    const before = await shop.admin<SupergraphAnswer>('/supergraph');
    const client = load(shop);
    await shop.publish([
      { name: 'products', url: shop.products.url, sdl: withoutPrice },
      { name: 'reviews', url: shop.reviews.url, sdl: reviewsWithPrice },
    ]);
    await shop.logged(refused);

    const after = await shop.admin<SupergraphAnswer>('/supergraph');
    expect(after.supergraph?.id).toBe(before.supergraph?.id);
    expect(after.lastRefusal).toContain('shop/Price');
    expect(after.lastRefusal).toContain(
      'subgraph "reviews" refuses the request: Cannot query field "price" on type "Product" (Product.price); first deploy',
    );
    expect(await shop.admin('/health/ready')).toMatchObject({
      status: 'ready',
      notes: [
        {
          code: 'SUPERGRAPH_REFUSED',
          message:
            'The newest supergraph is not used: it breaks shop/Price. Deploy the new version of reviews first.',
        },
      ],
    });
    expect(await shop.metric('tributary_contract_supergraphs_total{outcome="refused"}')).toBe('1');
    expect(await shop.admin('/contracts')).toMatchObject({
      lastCheck: { outcome: 'refused', broken: [{ operation: 'Price', subgraphs: ['reviews'] }] },
    });

    shop.reviews.deploy(reviewsWithPrice);
    await timers.fire();
    await shop.logged(inUse, 2);
    const taken = await shop.admin<SupergraphAnswer>('/supergraph');
    expect(taken.supergraph?.id).not.toBe(before.supergraph?.id);
    expect(taken.lastRefusal).toBeNull();
    expect(await client.stop()).toEqual(new Set());
    // Fields that no plan fetches any more can be removed.
    shop.products.deploy(withoutPrice);
    expect(await shop.ask('Price')).toEqual({ data: answers.Price });
  });

  test('accepts a supergraph that breaks nothing', async () => {
    await using shop = await Guarded.start({ guard: 'enforce' });
    await shop.logged(inUse);
    shop.products.deploy(products.replace('  unused: Int\n', ''));
    await shop.logged(inUse, 2);
    expect(await shop.admin('/contracts')).toMatchObject({ lastCheck: { outcome: 'fine', broken: [] } });
  });

  test('accepts a refused supergraph after the contracts are gone', async () => {
    const timers = new ManualInterval(3_600_000);
    await using shop = await Guarded.start({ guard: 'enforce', driftInterval: '1h' }, { parts: { timers } });
    shop.products.deploy(withoutPrice);
    await shop.logged(refused);
    shop.disk.remove('contracts');
    await timers.fire();
    await shop.logged(inUse, 2);
  });

  test('accepts a supergraph whose breakage is waived', async () => {
    await using shop = await Guarded.start({ guard: 'enforce' });
    shop.disk.write({
      'contracts/waivers.yaml':
        '- rule: field-removed\n  coordinate: Product.price\n  reason: Prices are elsewhere.\n  owner: shop\n  expires: 2999-12-31\n',
    });
    shop.products.deploy(withoutPrice);
    await shop.logged(inUse, 2);
  });

  test('accepts the first supergraph even if it breaks operations, logs it, and accepts a fixed one afterwards', async () => {
    await using shop = await Guarded.start({ guard: 'enforce' }, { runs: withoutPrice });
    const [line] = await shop.logged(
      'The first supergraph breaks operations of the contracts, and is used because there is no other',
    );
    expect(line?.operations).toEqual([expect.stringContaining('shop/Price')]);
    expect((await shop.ask('Name')).data).toEqual(answers.Name);
    shop.products.deploy(withoutPrice.replace('  unused: Int\n', ''));
    await shop.logged(inUse, 2);
  });
});

test('contracts.guard: warn accepts a supergraph, and logs and counts what it breaks', async () => {
  await using shop = await Guarded.start({ guard: 'warn' });
  shop.products.deploy(withoutPrice);
  const [line] = await shop.logged('A new supergraph breaks operations of the contracts');
  expect(line?.operations).toEqual([expect.stringContaining('shop/Price')]);
  await shop.logged(inUse, 2);
  expect(await shop.metric('tributary_contract_supergraphs_total{outcome="broken"}')).toBe('1');
  expect(await shop.admin('/health/ready')).not.toHaveProperty('notes');
});

test('a subgraph that refuses a planned fetch is reported as drift immediately and once', async () => {
  // Time passes only when the test advances it, however slow the machine is.
  let now = Date.parse('2027-01-31T12:00:00Z');
  const timers = new ManualInterval(3_600_000);
  await using shop = await Guarded.start(
    { guard: 'warn', driftInterval: '1h' },
    { source: 'file', parts: { timers, now: () => now } },
  );
  shop.products.deploy(withoutPrice);
  const answered = await Promise.all(Array.from({ length: 20 }, () => shop.ask('Price')));
  expect(answered.every(({ errors }) => errors !== undefined)).toBe(true);
  await shop.logged(refusesPlans);
  expect(await shop.metric('tributary_contract_drift{subgraph="products"}')).toBe('1');

  await shop.logged(looked);
  const drifted = [
    {
      name: 'products',
      state: 'drifted',
      breaks: ['shop/Price'],
      refusal: 'Cannot query field "price" on type "Product".',
    },
    { name: 'reviews', state: 'as agreed' },
  ];
  expect(await shop.admin('/contracts')).toMatchObject({ drift: { subgraphs: drifted } });
  // The check is over, and the next one is scheduled.
  await timers.waitForStart();
  for (const name of names) await shop.ask(name);
  // The first check fetches the SDL; refusals do not.
  expect(shop.products.sdlRequestCount).toBe(1);

  now += 3_600_000;
  await timers.fire();
  await shop.logged(looked, 2);
  expect(await shop.admin('/contracts')).toMatchObject({
    drift: { lastCheckAt: '2027-01-31T13:00:00.000Z', subgraphs: drifted },
  });
  expect(shop.products.sdlRequestCount).toBe(2);
  // By now every log line about the refusals has been written.
  expect((await shop.logged(refusesPlans)).length).toBe(1);
});

test('a validation error without a code starts a check, which finds the drift', async () => {
  await using shop = await Guarded.start({ guard: 'warn', driftInterval: '1h' }, { source: 'file' });
  shop.products.hasErrorCodes = false;
  shop.products.deploy(withoutPrice);
  await shop.ask('Price');
  await shop.logged(drifts);
  expect(await shop.admin('/contracts')).toMatchObject({
    drift: { subgraphs: [{ name: 'products', state: 'drifted' }, { state: 'as agreed' }] },
  });
});

test('`contracts drift --gateway` reads the running supergraph, not the refused one', async () => {
  await using shop = await Guarded.start({ guard: 'enforce' });
  const look = async () => {
    const { code, stdout } = await runDrift(shop.disk.root, '--gateway', shop.adminUrl, '--format', 'json');
    return [code, ...summarizeFindings(stdout)];
  };
  expect(await look()).toEqual([0]);
  shop.products.deploy(withoutPrice);
  await shop.logged(refused);
  expect(await look()).toEqual([
    1,
    'breaking field-removed products shop/Price expand and contract',
    'dangerous supergraph-drift products',
    'dangerous contract-drift products',
  ]);
});

test.each([
  ['guard: off', { guard: 'off' as const }, { guard: 'off' }],
  [
    'no store',
    { guard: 'enforce' as const, directory: 'no-such-directory' },
    { guard: 'enforce', store: null },
  ],
])('with %s the guard has nothing to do', async (_title, contracts, described) => {
  await using shop = await Guarded.start(contracts);
  shop.products.deploy(withoutPrice);
  await shop.logged(inUse, 2);
  expect(await shop.admin('/contracts')).toMatchObject(described);
  const warnings = shop.lines.filter(
    ({ msg }) => msg === 'contracts.guard is enforce, but contracts.directory has no contracts',
  );
  expect(warnings).toHaveLength(contracts.guard === 'enforce' ? 2 : 0);
});

test('mistakes in the contracts are logged, and the readable contracts are guarded', async () => {
  await using shop = await Guarded.start({ guard: 'enforce' });
  shop.disk.write({ 'contracts/operations/shop/Wrong.graphql': 'query Wrong {' });
  shop.products.deploy(withoutPrice);
  await shop.logged(refused);
  const [line] = await shop.logged('The contracts have mistakes');
  expect(line?.problems).toEqual([expect.stringMatching(/Wrong\.graphql:1 .*Syntax Error/)]);
});
