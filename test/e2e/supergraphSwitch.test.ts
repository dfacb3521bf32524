import { mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { primaryProduct, productQuery, productVariables, recommended } from '../harness/gatedDemo.ts';
import { GatedFaultClock } from '../harness/gatedFaultClock.ts';
import { postJson } from '../harness/postJson.ts';
import { MultipartReader, RawConnection } from '../harness/rawHttp.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { demoSupergraphFile, startTestGateway, type TestGateway } from '../harness/testGateway.ts';

let folder: string;
let demo: string;
beforeAll(async () => {
  folder = createTemporaryDirectory();
  demo = await readFile(demoSupergraphFile, 'utf8');
});

interface SwitchableGateway extends AsyncDisposable {
  readonly url: string;
  /** Writes another supergraph to the file. Resolves when it is in use. */
  switchTo(sdl: string): Promise<void>;
}

/** The demo with a gateway that watches a temporary supergraph file. */
async function startSwitchable(clock?: GatedFaultClock): Promise<SwitchableGateway> {
  const file = join(await mkdtemp(join(folder, 'watched-')), 'supergraph.graphql');
  await writeFile(file, demo);
  let wake = (): void => {};
  const logger = pino(
    { level: 'info' },
    { write: (line) => line.includes('A new supergraph is in use') && wake() },
  );
  const gateway: TestGateway = await startTestGateway({
    config: { supergraph: { file, watch: true } },
    dependencies: { logger },
    ...(clock === undefined ? {} : { clock, faults: { recommendations: 'Product.recommended=latency:1' } }),
  });
  return {
    url: gateway.url,
    switchTo: async (sdl) => {
      const switched = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await writeFile(`${file}.next`, sdl);
      await rename(`${file}.next`, file);
      await switched;
    },
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}

/** The demo's supergraph without one root field. */
function without(field: string): string {
  const sdl = demo.replace(new RegExp(`^  ${field}\\b.*\\n`, 'm'), '');
  expect(sdl).not.toBe(demo);
  return sdl;
}

async function ask(url: string, query: string): Promise<unknown> {
  const response = await postJson(url, { query });
  return response.json();
}

describe('the switch to a new supergraph', () => {
  test('applies to new operations, while a deferred response ends on the supergraph that it began with', async () => {
    const clock = new GatedFaultClock();
    await using gateway = await startSwitchable(clock);
    await using connection = await RawConnection.open(gateway.url);
    connection.send({
      headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
      body: JSON.stringify({ query: productQuery, variables: productVariables }),
    });
    await connection.readHead();
    const reader = new MultipartReader();
    expect(reader.read((await connection.readChunk()) ?? '')).toEqual([
      { data: { product: primaryProduct }, hasNext: true },
    ]);

    await gateway.switchTo(without('warehouse'));
    await gateway.switchTo(without('productByUpc'));
    expect(await ask(gateway.url, '{ productByUpc(upc: "1") { name } }')).toMatchObject({
      errors: [{ message: expect.stringContaining('Cannot query field "productByUpc"') }],
    });
    clock.open();
    const rest: unknown[] = [];
    for (;;) {
      const chunk = await connection.readChunk();
      if (chunk === undefined) break;
      rest.push(...reader.read(chunk));
    }
    expect(rest).toEqual([
      {
        incremental: [{ label: 'recommendations', path: ['product'], data: { recommended } }],
        hasNext: false,
      },
    ]);
  });
});
