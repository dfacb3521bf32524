import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Locator, Page } from 'playwright-core';
import { startStorefront } from '../../storefront/serve.ts';
import { browserStartTimeoutMs, startBrowser, type TestBrowser } from '../harness/browser.ts';
import { type GatedDemo, type GatedDemoOptions, startGatedDemo } from '../harness/gatedDemo.ts';
import { EventCounter } from '../harness/redisStoreFixture.ts';

let browser: TestBrowser | undefined;

beforeAll(async () => {
  browser = await startBrowser();
}, browserStartTimeoutMs);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
});

interface OpenShop extends AsyncDisposable {
  readonly shop: GatedDemo;
  readonly page: Page;
  /** Uncaught errors in the page's code. */
  readonly pageErrors: readonly string[];
  /** Method and route of each request from the page to the gateway. */
  readonly requests: readonly string[];
  /** Resolves when the page has sent this request. */
  waitForRequest(expected: string): Promise<void>;
}

async function openShop(path: string, options?: GatedDemoOptions): Promise<OpenShop> {
  const shop = await startGatedDemo(options);
  const storefront = await startStorefront({ port: 0, gatewayUrl: shop.url });
  const page = await (browser as TestBrowser).context.newPage();
  const pageErrors: string[] = [];
  page.on('pageerror', ({ message }) => pageErrors.push(message));
  const requests: string[] = [];
  const happened = new EventCounter();
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    const [, route] = pathname.split('/');
    if (route === 'graphql' || route === 'enrichments') requests.push(`${request.method()} ${route}`);
    happened.increment();
  });
  const waitForRequest = async (expected: string): Promise<void> => {
    while (!requests.includes(expected)) await happened.waitForNext();
  };
  const dispose = async (): Promise<void> => {
    await page.close();
    await storefront.close();
    await shop[Symbol.asyncDispose]();
  };
  try {
    await page.goto(`${storefront.url}${path}`);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { shop, page, pageErrors, requests, waitForRequest, [Symbol.asyncDispose]: dispose };
}

async function textsOf(locator: Locator): Promise<string[]> {
  await locator.first().waitFor();
  return (await locator.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim());
}

const names = (list: Locator): Locator => list.getByRole('link');
const section = (page: Page): Locator => page.getByRole('region', { name: 'You may also like' });

/** The texts about arrivals, with times replaced because they vary. */
async function arrivalsOf(page: Page): Promise<string[]> {
  const texts = await textsOf(page.locator('.arrivals li'));
  return texts.map((text) => text.replace(/[\d,]+ ms/, 'N ms'));
}

/** The content of the product page without its slow part. */
async function fastParts(page: Page) {
  return {
    heading: await textsOf(page.getByRole('heading', { level: 1 })),
    price: await textsOf(page.locator('.product-facts .price')),
    stock: await textsOf(page.locator('.product-facts .stock')),
    authors: (await textsOf(page.locator('.review .author'))).length,
  };
}

const recommended = [
  'Stockpot, 24 cm',
  'Saucepan with Lid, 24 cm',
  'Enamelled Dutch Oven, 28 cm',
  'Milk Pan, 24 cm',
];

const deferred = '/product/p1?recommendations=deferred';

const skillet = {
  heading: ['Cast-Iron Skillet, 24 cm'],
  price: ['€77.50'],
  stock: ['131 in stock'],
  authors: 6,
};

describe('the shop page in a browser', () => {
  test('lists products and opens one on a click', async () => {
    await using open = await openShop('/');
    const { shop, page } = open;
    shop.release();

    await page.locator('.grid article').first().waitFor();
    expect(await page.locator('.grid article').count()).toBe(24);
    const [first] = await textsOf(names(page.locator('.grid')));
    await names(page.locator('.grid')).first().click();
    await page.locator('.review').first().waitFor();
    expect(await textsOf(page.getByRole('heading', { level: 1 }))).toEqual([first]);
    expect(open.pageErrors).toEqual([]);
  });

  test('shows the fast parts while deferred recommendations are pending, and then the recommendations', async () => {
    await using open = await openShop(deferred);
    const { shop, page } = open;

    expect(await fastParts(page)).toEqual(skillet);
    expect(await section(page).locator('[data-state]').getAttribute('data-state')).toBe('pending');
    expect(await arrivalsOf(page)).toEqual([
      'Product, stock and reviews: N ms',
      'Recommendations: on the way…',
    ]);

    shop.release();
    expect(await textsOf(names(section(page)))).toEqual(recommended);
    expect(await arrivalsOf(page)).toEqual(['Product, stock and reviews: N ms', 'Recommendations: N ms']);
    expect(open.pageErrors).toEqual([]);
  });

  test('shows a notice instead of failed recommendations, and leaves the other parts unchanged', async () => {
    await using open = await openShop(deferred, { isFailing: true });
    const { shop, page } = open;

    await page.locator('.review').first().waitFor();
    shop.release();
    expect(await textsOf(section(page).getByRole('alert'))).toEqual([
      'Recommendations are not available at the moment. Try again',
    ]);
    expect(await fastParts(page)).toEqual(skillet);
    expect(await arrivalsOf(page)).toEqual([
      'Product, stock and reviews: N ms',
      'Recommendations: failed after N ms',
    ]);
    expect(open.pageErrors).toEqual([]);
  });
});

describe('the shop page, with recommendations as an enrichment', () => {
  const enrichment = { mode: 'always', jobs: { attempts: 1 } } as const;

  /** The vertical position of the section after the recommendations, in pixels. */
  async function reviewsTop(page: Page): Promise<number> {
    const box = await page.getByRole('region', { name: 'Reviews' }).boundingBox();
    return box?.y ?? Number.NaN;
  }

  test('shows the fast parts first, and then the recommendations without moving the layout', async () => {
    await using open = await openShop('/product/p1', { config: { enrichment } });
    const { shop, page } = open;

    expect(await fastParts(page)).toEqual(skillet);
    expect(await section(page).locator('[data-state]').getAttribute('data-state')).toBe('pending');
    expect(await arrivalsOf(page)).toEqual([
      'Product, stock and reviews: N ms',
      'Recommendations: on the way…',
    ]);
    const top = await reviewsTop(page);

    shop.release();
    expect(await textsOf(names(section(page)))).toEqual(recommended);
    expect(await arrivalsOf(page)).toEqual(['Product, stock and reviews: N ms', 'Recommendations: N ms']);
    expect(Math.abs((await reviewsTop(page)) - top)).toBeLessThan(2);
    expect(await fastParts(page)).toEqual(skillet);
    expect(open.pageErrors).toEqual([]);
  });

  test('fetches the recommendations once by token and sends no other request', async () => {
    await using open = await openShop('/product/p1', { config: { enrichment } });
    const { shop, page } = open;
    await page.locator('.review').first().waitFor();
    shop.release();
    await names(section(page)).first().waitFor();
    expect(open.requests).toEqual(['POST graphql', 'GET enrichments']);
  });

  test('shows the recommendations with the rest if they arrive within their budget', async () => {
    await using open = await openShop('/product/p1', {
      config: { enrichment: { ...enrichment, fields: { 'Product.recommended': { budget: 10_000 } } } },
    });
    const { shop, page } = open;
    await page.getByRole('status').waitFor({ state: 'attached' });
    shop.release();
    expect(await textsOf(names(section(page)))).toEqual(recommended);
    expect(await arrivalsOf(page)).toEqual(['Product, stock and reviews: N ms', 'Recommendations: N ms']);
  });

  test('shows a notice instead of recommendations that fail, in an update or in the first response', async () => {
    await using open = await openShop('/product/p1', { isFailing: true, config: { enrichment } });
    const { shop, page } = open;
    const notice = ['Recommendations are not available at the moment. Try again'];
    await page.locator('.review').first().waitFor();
    expect(await section(page).getByRole('alert').count()).toBe(0);

    shop.release();
    expect(await textsOf(section(page).getByRole('alert'))).toEqual(notice);
    expect(await section(page).locator('[data-state]').count()).toBe(0);
    expect(await fastParts(page)).toEqual(skillet);
    expect(await arrivalsOf(page)).toEqual([
      'Product, stock and reviews: N ms',
      'Recommendations: failed after N ms',
    ]);

    // From now on they fail within their budget.
    await page.reload();
    expect(await textsOf(section(page).getByRole('alert'))).toEqual(notice);
    expect(await fastParts(page)).toEqual(skillet);
    expect(open.pageErrors).toEqual([]);
  });

  test('closes the update stream when the visitor leaves the product page', async () => {
    await using open = await openShop('/product/p1', { config: { enrichment } });
    const { page } = open;
    const ended = page.waitForEvent('requestfailed', {
      predicate: (request) => request.url().includes('/enrichments/'),
    });
    await open.waitForRequest('GET enrichments');
    await page.getByRole('link', { name: 'Tributary Shop' }).click();
    await page.locator('.grid article').first().waitFor();
    expect((await ended).failure()).not.toBeNull();
  });
});
