// Makes the pictures of the incident in docs/observability.md: an incident in the demo's graph, looked at on the insights
// page. Takes about a minute, and needs Chromium (test/harness/chromium.ts).
//
//   npx node scripts/insightsPictures.ts [directory]

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';
import { systemTimers, type Timers } from '../gateway/time/timers.ts';
import { startBrowser } from '../test/harness/browser.ts';
import { startTestGateway } from '../test/harness/testGateway.ts';
import { ensureInsightsPage } from './bundles.ts';

/** The gateway's clock is faster than ours, so that the charts have minutes. */
const speed = 20;
const productCount = 20;
const pointMs = 10_000 / speed;

const fields = 'name price { amount } inStock';
const reviews = 'reviews(first: 3) { rating title author { displayName } }';
const page = `query ProductPage($id: ID!) { product(id: $id) { ${fields} ${reviews} recommended { name } } }`;
const deferring = `query ProductPage($id: ID!) { product(id: $id) { ${fields} ... @defer { ${reviews} } recommended { name } } }`;
const category = 'query CategoryPage { topProducts(first: 5) { name price { amount } inStock } }';

function fastTimers(): Timers {
  return { now: () => systemTimers.now() * speed, after: (ms, run) => systemTimers.after(ms / speed, run) };
}

/** Sends what a shop sends, until it is closed. */
class Shop {
  productPage = page;
  readonly #url: string;
  readonly #running: Promise<void>[] = [];
  #isClosed = false;

  constructor(url: string) {
    this.#url = url;
    this.#running.push(this.#visit());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#running);
  }

  async #visit(): Promise<void> {
    while (!this.#isClosed) {
      for (const query of [this.productPage, category]) this.#running.push(send(this.#url, query));
      await delay(100);
    }
  }
}

let visits = 0;

async function send(url: string, query: string): Promise<void> {
  visits += 1;
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: query.includes('@defer') ? 'multipart/mixed;deferSpec=20220824' : 'application/json',
    },
    body: JSON.stringify({ query, variables: { id: `p${1 + (visits % productCount)}` } }),
  });
  await response.text();
}

/** Converts a picture with the browser, which knows formats that Playwright does not. */
async function toWebp(converter: Page, png: Buffer): Promise<Buffer> {
  const url = await converter.evaluate(
    async (source) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.width = image.width;
      canvas.height = image.height;
      canvas.getContext('2d')?.drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', 0.85);
    },
    `data:image/png;base64,${png.toString('base64')}`,
  );
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
}

async function makePictures(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await ensureInsightsPage();
  const startedAt = performance.now();
  await using browser = await startBrowser();
  await using gateway = await startTestGateway({
    config: {
      // Records every answer step by step.
      security: { exposeSubgraphs: true },
      enrichment: { mode: 'always', fields: { 'Product.recommended': { budget: '40ms' } } },
      cache: { rules: { 'subgraph:inventory': { maxAge: '2s', staleIfError: '10m' } } },
    },
    dependencies: {
      timers: fastTimers(),
      now: () => Date.UTC(2026, 0, 1, 9) + (performance.now() - startedAt) * speed,
    },
  });
  const { subgraphs } = gateway;
  const slow = (p50: number, p99: number) => ({ targets: { '*': { latency: { p50, p99 } } } });
  for (const subgraph of subgraphs.all) subgraph.faults.replace(slow(8, 20));

  const converter = await browser.context.newPage();
  const shown = await browser.context.newPage();
  await shown.setViewportSize({ width: 1_000, height: 1_200 });
  const show = async (): Promise<void> => {
    await shown.goto(`${gateway.adminUrl}/insights`);
    await shown.getByRole('button', { name: 'Pause' }).click();
    await shown.getByRole('button', { name: 'ProductPage' }).first().click();
  };
  const take = async (name: string, part: Locator): Promise<void> => {
    const webp = await toWebp(converter, await part.screenshot());
    await writeFile(join(directory, `${name}.webp`), webp);
    console.log(`${name}.webp: ${Math.round(webp.length / 1_000)} kB`);
  };

  const shop = new Shop(gateway.url);
  await delay(16 * pointMs);
  // The incident.
  subgraphs.reviews.faults.replace(slow(450, 700));
  await delay(40 * pointMs);
  await show();
  await take('insights-subgraphs', shown.getByRole('region', { name: 'Subgraphs', exact: true }));
  await take('insights-plan', shown.getByRole('article').first());
  // The page of the shop defers its reviews.
  shop.productPage = deferring;
  await delay(32 * pointMs);
  await show();
  await take('insights-charts', shown.locator('.charts'));
  await shop.close();
}

await makePictures(process.argv[2] ?? join(import.meta.dirname, '../docs/pictures'));
