import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { queryObjects } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createGateway } from '../../gateway/gateway.ts';
import { compose, federation } from '../fixtures/supergraphs/compose.ts';
import { threadsNamed } from '../fixtures/supergraphs/threads.ts';
import { MultipartReader, RawConnection } from '../harness/frames.ts';
import { json, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';

const composed = await compose([
  {
    name: 'items',
    url: 'http://items.test',
    sdl: `${federation}
      type Query { item: Item }
      type Item @key(fields: "id") { id: ID! name: String }
    `,
  },
  {
    name: 'stock',
    url: 'http://stock.test',
    sdl: `${federation} type Item @key(fields: "id") { id: ID! stock: Int }`,
  },
]);

/** A client that asks without a pause: what is known, what has to be planned, what is deferred. */
class BusyClient {
  readonly #url: string;
  #isOver = false;
  readonly #asking: Promise<void>;

  constructor(url: string) {
    this.#url = url;
    this.#asking = this.#askOnAndOn();
    // Looked at when it is stopped.
    this.#asking.catch(() => {});
  }

  /** Rejects with what it found wrong. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#asking;
  }

  async #askOnAndOn(): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      await this.#ask('{ item { name stock } }', { name: 'Pan', stock: 5 });
      await this.#ask(`{ item { s${round}: stock } }`, { [`s${round}`]: 5 });
      await this.#defer();
    }
  }

  async #ask(query: string, item: object): Promise<void> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    expect(await response.json()).toEqual({ data: { item } });
  }

  async #defer(): Promise<void> {
    await using connection = await RawConnection.open(this.#url);
    connection.send({
      headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
      body: JSON.stringify({ query: '{ item { name ... @defer { stock } } }' }),
    });
    await connection.readHead();
    const reader = new MultipartReader();
    const payloads: unknown[] = [];
    for (
      let chunk = await connection.readChunk();
      chunk !== undefined;
      chunk = await connection.readChunk()
    ) {
      payloads.push(...reader.read(chunk));
    }
    reader.assertClosed();
    expect(payloads).toEqual([
      { data: { item: { name: 'Pan' } }, hasNext: true },
      { incremental: [{ path: ['item'], data: { stock: 5 } }], hasNext: false },
    ]);
  }
}

/** Threads as objects: each belongs to a planner, and that to a supergraph with all that was made from it. Collects
 *  garbage first. */
function threadObjects(): number {
  return queryObjects(Worker, { format: 'count' });
}

test('a hundred switches in a row fail no request and leave nothing behind', async () => {
  await using items = await startScriptedSubgraph();
  items.otherwise(json({ data: { item: { __typename: 'Item', id: '1', name: 'Pan' } } }));
  await using stock = await startScriptedSubgraph();
  stock.otherwise(({ request, respond }) => {
    // Entities under the names by which they were asked for, one representation each.
    const names = [...request.body.matchAll(/(\w+): ?_entities|_entities/g)].map(
      ([, name]) => name ?? '_entities',
    );
    const field = /(\w+): ?stock/.exec(request.body)?.[1] ?? 'stock';
    respond({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ data: Object.fromEntries(names.map((name) => [name, [{ [field]: 5 }]])) }),
    });
  });
  /** Each has another API schema. */
  const version = (number: number): string =>
    composed
      .replace('http://items.test', items.url)
      .replace('http://stock.test', stock.url)
      .replace(/(?<=^type Item\b[^{]*\{\n)/m, `  v${number}: Int @join__field(graph: ITEMS)\n`);

  const folder = await mkdtemp(join(tmpdir(), 'tributary-switches-'));
  const file = join(folder, 'supergraph.graphql');
  await writeFile(file, version(0));
  let wake = (): void => {};
  const gateway = await createGateway(
    {
      listen: { port: 0 },
      admin: { port: 0 },
      supergraph: { file, watch: true },
      planning: { warmOperations: 5 },
    },
    {
      logger: pino({ level: 'info' }, { write: (line) => line.includes('A supergraph is in use') && wake() }),
    },
  );
  const warnings: Error[] = [];
  const keepWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', keepWarning);
  try {
    const { url } = await gateway.start();
    const switchUnderLoad = async (from: number, to: number): Promise<number> => {
      const client = new BusyClient(url);
      for (let number = from; number <= to; number++) {
        const switched = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await writeFile(`${file}.next`, version(number));
        await rename(`${file}.next`, file);
        await switched;
      }
      await client.stop();
      return threadObjects();
    };
    const afterTen = await switchUnderLoad(1, 10);
    expect(await switchUnderLoad(11, 100)).toBe(afterTen);
    expect(await threadsNamed('tributary-plan')).toBe(1);
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', keepWarning);
    await gateway.close();
    await rm(folder, { recursive: true });
  }
  expect(await threadsNamed('tributary-plan')).toBe(0);
}, 600_000);
