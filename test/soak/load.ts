import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../subgraphs/shared/random.ts';
import { MultipartReader, mergePayloads } from '../harness/rawHttp.ts';
import { readEvents } from '../harness/readEvents.ts';
import { readOperationFiles } from '../harness/readOperationFiles.ts';
import { findProblem, type Path, type ResponseBody, valueAt } from './checkResponse.ts';
import { type ClientRequest, type ClientResponse, hangLimitMs, send, subscribe } from './clients.ts';

interface Operation {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

const files = new Map(
  readOperationFiles(new URL('../fixtures/operations/', import.meta.url)).map((file) => [file.name, file]),
);

function operationOf(name: string, variables?: Operation['variables']): Operation {
  const file = files.get(name);
  if (file === undefined) throw new Error(`There is no operation ${name}.`);
  return { query: file.source, variables: variables ?? file.variables };
}

const productPages = ['p1', 'p7', 'p12'].map((id) => operationOf('productPage', { id }));

const queries = [
  ...productPages,
  operationOf('accountPage'),
  operationOf('reviewsWithAuthors'),
  operationOf('shopFront'),
];

const deferred = ['p2', 'p9'].map((id) => ({
  query: `query DeferredProduct($id: ID!) {
    product(id: $id) {
      id
      name
      ... @defer(label: "reviews") { reviews(first: 2) { id body author { username displayName } } }
      ... @defer(label: "stock") { stock { total status } averageRating }
    }
  }`,
  variables: { id },
}));

/** A product that no other operation reads. */
const changedUpc = '2000000131474';

const updateStock = `mutation UpdateStock($quantity: Int!) {
  updateStock(input: { upc: "${changedUpc}", warehouseCode: "WRO", quantity: $quantity }) {
    quantity
    product { name }
  }
}`;

const stockChanged = `subscription StockChanged {
  stockChanged(upc: "${changedUpc}") { current item { product { name } } }
}`;

type Action = 'query' | 'deferred' | 'budget' | 'mutation' | 'disconnect' | 'subscription';

const actions: readonly Action[] = [
  ...Array<Action>(5).fill('query'),
  'deferred',
  'deferred',
  'budget',
  'budget',
  'mutation',
  'disconnect',
  'disconnect',
  'subscription',
];

interface LoadCounts {
  requests: number;
  /** Responses with errors. */
  withErrors: number;
  deferred: number;
  /** Responses with a token, and updates that arrived with it. */
  withToken: number;
  updates: number;
  disconnects: number;
  subscriptions: number;
  events: number;
}

interface LoadOptions {
  readonly url: string;
  readonly random: Random;
  /** The values of all mutations. Loads that share the subgraphs share it, too. */
  readonly sentQuantities: Set<number>;
  readonly report: (problem: string) => void;
}

/** Clients of one gateway. Each response is compared with the one before the faults. */
export class Load {
  readonly counts: LoadCounts = {
    requests: 0,
    withErrors: 0,
    deferred: 0,
    withToken: 0,
    updates: 0,
    disconnects: 0,
    subscriptions: 0,
    events: 0,
  };
  readonly #url: string;
  readonly #random: Random;
  readonly #report: (problem: string) => void;
  readonly #expected = new Map<Operation, unknown>();
  readonly #sentQuantities: Set<number>;
  readonly #running = new Set<Promise<void>>();
  #changedProduct: unknown;
  #agent = new Agent({ keepAlive: true });

  constructor({ url, random, sentQuantities, report }: LoadOptions) {
    this.#url = url;
    this.#random = random;
    this.#sentQuantities = sentQuantities;
    this.#report = report;
  }

  /** Sends each operation until its response is complete, and expects these responses from now on. */
  async learn(): Promise<void> {
    for (const operation of [...queries, ...deferred]) {
      this.#expected.set(operation, await this.#executeUntilComplete(operation));
    }
    this.#sentQuantities.add(10);
    this.#changedProduct = await this.#executeUntilComplete({
      query: updateStock,
      variables: { quantity: 10 },
    });
  }

  /** Resolves when the gateway answers each operation without errors. */
  async waitForRecovery(): Promise<void> {
    for (const operation of [...queries, ...deferred]) {
      const data = await this.#executeUntilComplete(operation);
      this.#check(operation, { data });
    }
  }

  /** Starts actions at random times, until the signal aborts and all have ended. */
  async run(requestsPerSecond: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const action = this.#act(this.#random.pick(actions), signal).catch((error: Error) =>
        this.#report(error.message),
      );
      this.#running.add(action);
      void action.then(() => this.#running.delete(action));
      const delayMs = (-Math.log(1 - this.#random.next()) * 1000) / requestsPerSecond;
      await sleep(Math.min(delayMs, 5_000), undefined, { signal }).catch(() => {});
    }
    await Promise.all(this.#running);
  }

  /** Closes the connections of the clients. */
  disconnect(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true });
  }

  async #act(action: Action, signal: AbortSignal): Promise<void> {
    this.counts.requests += 1;
    switch (action) {
      case 'query': {
        const operation = this.#random.pick(queries);
        return this.#checkAndPickUp(operation, await this.#execute(operation));
      }
      case 'budget': {
        const operation = this.#random.pick(productPages);
        return this.#checkAndPickUp(
          operation,
          await this.#execute(operation, { headers: { 'tributary-budget': '5ms' } }),
        );
      }
      case 'deferred':
        return this.#defer(this.#random.pick(deferred));
      case 'mutation':
        return this.#mutate();
      case 'disconnect':
        return this.#disconnect();
      case 'subscription':
        return this.#subscribe(signal);
    }
  }

  async #defer(operation: Operation): Promise<void> {
    const format = this.#random.pick(['deferSpec=20220824', 'incrementalSpec=v0.2']);
    const response = await this.#send(operation, { headers: { accept: `multipart/mixed;${format}` } });
    this.counts.deferred += 1;
    const reader = new MultipartReader();
    const { data, errors } = mergePayloads(reader.read(response.body));
    reader.assertClosed();
    // A failed fragment has no fields.
    const filled = withMissingAsNull(this.#expected.get(operation), data);
    this.#check(operation, { data: filled, errors } as ResponseBody);
  }

  async #mutate(): Promise<void> {
    const quantity = this.#random.integer(10, 1_000_000);
    this.#sentQuantities.add(quantity);
    const body = await this.#execute({ query: updateStock, variables: { quantity } });
    const expected = structuredClone(this.#changedProduct) as { updateStock: { quantity: number } };
    expected.updateStock.quantity = quantity;
    this.#checkAgainst(expected, body, 'updateStock');
  }

  async #disconnect(): Promise<void> {
    const leaving = new AbortController();
    const operation = this.#random.pick([...queries, ...deferred]);
    const headers = { accept: 'multipart/mixed;deferSpec=20220824, application/json' };
    const response = this.#send(operation, { headers, signal: leaving.signal });
    const settled = Promise.allSettled([response]);
    await sleep(this.#random.integer(0, 60));
    leaving.abort();
    await settled;
    this.counts.disconnects += 1;
  }

  async #subscribe(end: AbortSignal): Promise<void> {
    const leaving = AbortSignal.any([AbortSignal.timeout(this.#random.integer(200, 4_000)), end]);
    this.counts.subscriptions += 1;
    await subscribe(this.#url, { query: stockChanged }, leaving, (payload) => {
      this.counts.events += 1;
      const { data, errors } = payload as ResponseBody;
      const { stockChanged: event } = (data ?? {}) as { stockChanged?: { current: number } };
      const { updateStock: changed } = this.#changedProduct as { updateStock: { product: unknown } };
      const expected = {
        stockChanged: { current: event?.current ?? 0, item: { product: changed.product } },
      };
      this.#checkAgainst(expected, { data, errors } as ResponseBody, 'stockChanged');
      if (event != null && !this.#sentQuantities.has(event.current)) {
        this.#report(`stockChanged: the quantity ${event.current} was never sent`);
      }
    });
  }

  async #execute(operation: Operation, options: Partial<ClientRequest> = {}): Promise<ResponseBody> {
    const response = await this.#send(operation, options);
    return JSON.parse(response.body) as ResponseBody;
  }

  async #send(operation: Operation, options: Partial<ClientRequest> = {}): Promise<ClientResponse> {
    return send(this.#url, {
      agent: this.#agent,
      body: JSON.stringify(operation),
      ...options,
      headers: { 'content-type': 'application/json', accept: 'application/json', ...options.headers },
    });
  }

  /** @throws {Error} if the response is not complete after a long time. */
  async #executeUntilComplete(operation: Operation): Promise<unknown> {
    const deadline = performance.now() + hangLimitMs;
    for (;;) {
      const { data, errors, extensions } = await this.#execute(operation);
      if (errors === undefined && extensions?.tributary?.enrichment === undefined) return data;
      if (performance.now() > deadline) {
        throw new Error(`no recovery: ${JSON.stringify({ ...operation, errors, extensions })}`);
      }
      await sleep(100);
    }
  }

  async #checkAndPickUp(operation: Operation, body: ResponseBody): Promise<void> {
    this.#check(operation, body);
    const { enrichment } = body.extensions?.tributary ?? {};
    if (enrichment?.token === undefined) return;
    this.counts.withToken += 1;
    const response = await send(new URL(`/enrichments/${enrichment.token}`, this.#url), {
      agent: this.#agent,
      method: 'GET',
      headers: { accept: 'text/event-stream' },
    });
    if (!response.contentType.startsWith('text/event-stream')) {
      return this.#checkAgainst(null, JSON.parse(response.body), 'token');
    }
    for (const { event, data } of readEvents(response.body)) {
      if (event !== 'next') continue;
      const { path, ...update } = JSON.parse(data) as ResponseBody & { readonly path?: Path };
      const errors = update.errors ?? [];
      if (path === undefined) {
        this.#checkAgainst(null, { data: null, errors }, 'token');
        continue;
      }
      this.counts.updates += 1;
      const problem = findProblem(valueAt(this.#expected.get(operation), path), { ...update, errors }, path);
      if (problem !== undefined) this.#report(`update of ${JSON.stringify(operation.variables)}: ${problem}`);
    }
  }

  #check(operation: Operation, body: ResponseBody): void {
    const name = `${/(query|mutation) (\w+)/.exec(operation.query)?.[2]} ${JSON.stringify(operation.variables)}`;
    this.#checkAgainst(this.#expected.get(operation), body, name);
  }

  #checkAgainst(expected: unknown, body: ResponseBody, name: string): void {
    if (body.errors !== undefined && body.errors.length > 0) this.counts.withErrors += 1;
    const problem = findProblem(expected, body);
    if (problem !== undefined) this.#report(`${name}: ${problem}`);
  }
}

/** Adds the missing fields of objects as null. */
function withMissingAsNull(expected: unknown, actual: unknown): unknown {
  if (typeof expected !== 'object' || expected === null) return actual;
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return actual;
  const given = actual as Readonly<Record<string, unknown>>;
  return {
    ...given,
    ...Object.fromEntries(
      Object.entries(expected).map(([name, value]) => [
        name,
        name in given ? withMissingAsNull(value, given[name]) : null,
      ]),
    ),
  };
}
