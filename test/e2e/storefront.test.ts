import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';
import { startStorefront } from '../../storefront/serve.ts';
import { createDemoApi } from '../../subgraphs/demoApi.ts';
import { createDemoProcesses, type DemoProcesses } from '../../subgraphs/demoProcesses.ts';
import { findAxeViolations } from '../harness/axe.ts';
import { browserStartTimeoutMs, startBrowser, type TestBrowser } from '../harness/browser.ts';
import { longCallTimeouts, startTestGateway } from '../harness/testGateway.ts';

interface Shop extends AsyncDisposable {
  readonly url: string;
  readonly demo: DemoProcesses;
}

/** The demo as `npm start` runs it: each subgraph is a process. Calls that hang end only with their process. */
async function startShop(): Promise<Shop> {
  await using stack = new AsyncDisposableStack();
  const demo = createDemoProcesses({
    host: '127.0.0.1',
    ports: { accounts: 0, products: 0, inventory: 0, reviews: 0, recommendations: 0 },
    faults: {
      accounts: '',
      products: '',
      inventory: '',
      reviews: '',
      recommendations: 'Product.recommended=latency:700',
    },
  });
  stack.defer(() => demo.close());
  await demo.restore();
  const subgraphs = (await demo.status()).map(({ name, url }) => [name, { url }]);
  const budgeted = { budget: '100ms' };
  const gateway = await startTestGateway({
    config: {
      subgraphs: {
        ...Object.fromEntries(subgraphs),
        all: {
          timeouts: longCallTimeouts,
          subscription: { protocol: 'graphql_ws', path: '/ws' },
          breaker: { openFor: '100ms' },
        },
      },
      enrichment: {
        mode: 'always',
        bounds: { max: '15s' },
        // The page itself tries again.
        jobs: { attempts: 2, backoff: { base: '10ms', max: '10ms' } },
        fields: {
          'Product.stock': budgeted,
          'Product.reviews': budgeted,
          'Product.reviewCount': budgeted,
          'Product.averageRating': budgeted,
          'Account.displayName': budgeted,
        },
      },
      cache: {
        rules: {
          'subgraph:products': { maxAge: '5m' },
          'subgraph:inventory': { maxAge: '1ms', staleIfError: '10m' },
          'subgraph:reviews': { maxAge: '5m' },
        },
        mutations: { 'Mutation.reserveStock': { subgraphs: ['inventory'] } },
      },
      // The gateway explains its answers.
      security: { introspection: true, graphiql: true, exposeSubgraphs: true },
    },
  });
  stack.use(gateway);
  const storefront = await startStorefront({
    port: 0,
    gatewayUrl: gateway.url,
    demo: createDemoApi({ processes: demo, adminUrl: gateway.adminUrl, addresses: {} }),
  });
  stack.defer(() => storefront.close());
  const owned = stack.move();
  return { url: storefront.url, demo, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type Mode = 'wait' | 'graph' | 'page';

const modes: readonly Mode[] = ['wait', 'graph', 'page'];

/** A desktop is the size that a tab begins with. */
const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 720 };

/** What a person sees of the product page. A missing part has its explanation instead. */
interface Content {
  readonly heading: string;
  readonly price: string;
  readonly stock: string;
  readonly recommended: number | string;
  readonly reviews: number | string;
}

/** Runs in the page before its own scripts. */
function observe(): void {
  const text = (selector: string): string =>
    (document.querySelector(selector)?.textContent ?? '').replace(/\s+/g, ' ').trim();
  const part = (selector: string, items: string): number | string => {
    const section = document.querySelector(selector)?.closest('section');
    const words = section?.querySelector('.placeholder-words p')?.textContent;
    return words ?? section?.querySelectorAll(items).length ?? '';
  };
  Object.assign(window, {
    layoutShift: 0,
    readContent: () => ({
      heading: text('.skeleton-words') || text('h1'),
      price: text('.product-facts .price'),
      stock: text('.product-facts .stock'),
      recommended: part('#recommendations-title', 'a'),
      reviews: part('#reviews-title', '.author'),
    }),
  });
  new PerformanceObserver((list) => {
    // Also counts what follows an input, unlike the metric of browsers.
    for (const entry of list.getEntries()) window.layoutShift += (entry as LayoutShift).value;
  }).observe({ type: 'layout-shift', buffered: true });
}

interface LayoutShift extends PerformanceEntry {
  readonly value: number;
}

declare global {
  interface Window {
    layoutShift: number;
    readContent: () => Content;
  }
}

/** The page in one mode. */
class Tab {
  readonly mode: Mode;
  readonly page: Page;
  /** Uncaught errors, and errors in the console. */
  readonly errors: string[] = [];
  /** Method and route of each request to the gateway. */
  readonly requests: string[] = [];

  private constructor(mode: Mode, page: Page) {
    this.mode = mode;
    this.page = page;
    page.on('pageerror', ({ message }) => this.errors.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('request', (request) => {
      const [, route] = new URL(request.url()).pathname.split('/');
      if (route === 'graphql' || route === 'enrichments') this.requests.push(`${request.method()} ${route}`);
    });
  }

  static async open(context: BrowserContext, url: string, mode: Mode): Promise<Tab> {
    const page = await context.newPage();
    await page.addInitScript(observe);
    const tab = new Tab(mode, page);
    await tab.setLook(0);
    await page.goto(`${url}/product/p1?mode=${mode}`);
    return tab;
  }

  /** Changes the colour scheme of each mode in each round, and its size in every second one: to resize is slow. */
  async setLook(round: number): Promise<void> {
    const index = modes.indexOf(this.mode);
    await this.page.emulateMedia({
      colorScheme: (round + index) % 2 === 0 ? 'light' : 'dark',
      // axe would find too little contrast in what fades in.
      reducedMotion: 'reduce',
    });
    const size = (Math.floor(round / 2) + index) % 2 === 0 ? desktop : phone;
    if (this.page.viewportSize()?.width !== size.width) await this.page.setViewportSize(size);
  }

  /** Forgets what happened before, including the shifts of a window that has changed its size. */
  async startMeasuring(): Promise<void> {
    this.requests.length = 0;
    await this.page.evaluate(async () => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      await frame();
      await frame();
      window.layoutShift = 0;
    });
  }

  /** Waits until a person sees this content. */
  async waitForContent(expected: Partial<Content>): Promise<void> {
    const read = () => this.page.evaluate(() => window.readContent());
    try {
      await this.page.waitForFunction(
        (wanted) => {
          const shown = window.readContent();
          return Object.entries(wanted).every(([name, value]) => shown[name as keyof Content] === value);
        },
        expected,
        { polling: 50, timeout: 60_000 },
      );
    } catch {
      expect({ mode: this.mode, ...(await read()) }).toEqual(expect.objectContaining(expected));
    }
  }

  /** The parts of each payload in the time line, without times. */
  async payloads(): Promise<string[]> {
    const rows = await this.page.locator('.timeline li:not([data-state="pending"]) .row-parts').all();
    return Promise.all(
      rows.map(async (row) =>
        (await row.locator('.chip').allInnerTexts()).join(', ').replace(/[\d,.]+ m?s/, 'N s'),
      ),
    );
  }

  /** In pixels from the top of the page. */
  async bottomOf(selector: string): Promise<number> {
    const box = await this.page.locator(selector).boundingBox();
    return box === null ? Number.NaN : box.y + box.height;
  }

  /** Whether the page is too wide for its window while all names and texts are a long word. */
  isTooWideForLongWords(): Promise<boolean> {
    return this.page.evaluate(() => {
      const texts = [...document.querySelectorAll('h1, h3, h3 a, .eyebrow, .description, .review p, .author')]
        .flatMap((element) => [...element.childNodes])
        .filter((node) => node.nodeType === Node.TEXT_NODE);
      const former = texts.map(({ nodeValue }) => nodeValue);
      for (const text of texts) text.nodeValue = 'Donaudampfschifffahrtsgesellschaft'.repeat(5);
      const { scrollWidth, clientWidth } = document.documentElement;
      texts.forEach((text, index) => {
        text.nodeValue = former[index] ?? null;
      });
      return scrollWidth > clientWidth;
    });
  }

  /** Clicks a button, also in a tab behind another one. */
  press(name: string): Promise<void> {
    return this.button(name).dispatchEvent('click');
  }

  button(name: string) {
    return this.page.getByRole('button', { name, exact: true });
  }

  /** Expects that nothing has moved since the page began to load, and that the page fits its window. */
  async expectSteadyLayout(): Promise<void> {
    const { page, mode } = this;
    const { isTooWide, layoutShift } = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { isTooWide: scrollWidth > clientWidth, layoutShift: window.layoutShift };
    });
    expect([mode, isTooWide]).toEqual([mode, false]);
    expect(layoutShift).toBeLessThanOrEqual(0.05);
  }
}

const everything: Content = {
  heading: 'Cast-Iron Skillet, 24 cm',
  price: '€77.50',
  stock: '131 in stock',
  recommended: 4,
  reviews: 6,
};
const noReviews = 'The reviews are not available at the moment. They appear here as soon as they are.';
const noRecommendations =
  'Recommendations are not available at the moment. They appear here as soon as they are.';
const noStock = 'Stock not known at the moment; checking.';

let browser: TestBrowser;
let shop: Shop;
/** Each mode has a tab. All tests share them, as a visitor who tries one thing after another. */
let tabs: Tab[];
let waitTab: Tab;
let graphTab: Tab;
let pageTab: Tab;

function inEachTab(action: (tab: Tab) => Promise<void>): Promise<unknown> {
  return Promise.all(tabs.map(action));
}

/** Resolves when the inventory serves the subscription of the tabs, which the gateway shares. */
async function waitForSubscription(): Promise<void> {
  const { url } = (await shop.demo.status()).find(({ name }) => name === 'inventory') as {
    readonly url: string;
  };
  const isServed = async (): Promise<boolean> => {
    const { recent } = (await (await fetch(new URL('/requests', url))).json()) as {
      readonly recent: readonly { readonly transport: string; readonly outcome: string }[];
    };
    return recent.some(({ transport, outcome }) => transport === 'websocket' && outcome === 'pending');
  };
  while (!(await isServed()));
}

/** Repairs everything, also after a test that failed. */
beforeEach(() => shop.demo.restore());

afterEach(() => {
  expect(tabs.flatMap(({ errors }) => errors.splice(0))).toEqual([]);
});

/** Empties the cache of the gateway. */
async function coolDown(): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  await fetch(`${shop.url}/demo/cold`, { method: 'POST', headers, body: '{}' });
}

/** Sets the look of a round, and loads the product in each tab, the last one in front: browsers draw no other. The cache of
 *  the gateway is empty first. */
async function loadCold(round: number, loaded: readonly Tab[]): Promise<void> {
  for (const tab of loaded) {
    await tab.page.bringToFront();
    await tab.setLook(round);
    await tab.startMeasuring();
  }
  await coolDown();
  await Promise.all(loaded.map((tab) => tab.press('Load again')));
}

beforeAll(async () => {
  [browser, shop] = await Promise.all([startBrowser(), startShop()]);
  tabs = await Promise.all(modes.map((mode) => Tab.open(browser.context, shop.url, mode)));
  [waitTab, graphTab, pageTab] = tabs as [Tab, Tab, Tab];
  await inEachTab((tab) => tab.waitForContent(everything));
}, browserStartTimeoutMs);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await shop?.[Symbol.asyncDispose]();
});

describe('the product page, in each loading mode', () => {
  test('shows a slow part when it arrives, and everything at once only if the mode waits', async () => {
    // One after another: simultaneous loads would share their calls.
    for (const tab of tabs) {
      await loadCold(0, [tab]);
      await tab.waitForContent(everything);
      await tab.expectSteadyLayout();
    }
    const [wait = [], graph = [], page = []] = await Promise.all(tabs.map((tab) => tab.payloads()));
    expect(wait).toEqual(['Product, Stock, Rating, Reviews, Recommendations']);
    expect([graph[0], graph.at(-1)]).toEqual([expect.stringMatching(/^Product/), 'Recommendations']);
    expect([page[0], page.at(-1)]).toEqual([expect.stringMatching(/^Product/), 'Recommendations']);
    expect(graphTab.requests).toEqual(['POST graphql', 'GET enrichments']);
    // On a phone.
    expect(await graphTab.bottomOf('.product-facts .stock')).toBeLessThan(phone.height);
    expect(await findAxeViolations(graphTab.page)).toEqual([]);
    expect(await graphTab.isTooWideForLongWords()).toBe(false);
  });

  test('explains a failing part in its place, and shows it when it is back', async () => {
    await shop.demo.setFaults('reviews', { targets: { '*': { errorRate: 1 } } });
    await loadCold(1, tabs);
    await inEachTab((tab) => tab.waitForContent({ ...everything, reviews: noReviews }));
    await pageTab.expectSteadyLayout();
    expect(await findAxeViolations(pageTab.page)).toEqual([]);
    await shop.demo.restore();
    await inEachTab(async (tab) => {
      await tab.press('Try again');
      await tab.waitForContent(everything);
    });
  });

  test('shows the other parts while one hangs, survives the death of its process, and recovers by itself', async () => {
    await shop.demo.setFaults('inventory', { targets: { 'Product.stock': { hangRate: 1 } } });
    await graphTab.press('Load again');
    await graphTab.waitForContent(everything);
    expect((await graphTab.payloads())[0]).toMatch(/^Product, cached, Stock, cached N s ago,/);
    await loadCold(2, [graphTab, pageTab, waitTab]);
    await Promise.all([
      waitTab.waitForContent({
        heading: 'Waiting for everything: this mode shows nothing until the slowest part has answered.',
      }),
      ...[graphTab, pageTab].map((tab) =>
        tab.waitForContent({ ...everything, stock: 'Still counting the stock…' }),
      ),
    ]);
    // The words are visible less than a second after the skeleton.
    await waitTab.page.waitForFunction(() => {
      const words = document.querySelector('.skeleton-words');
      return words !== null && getComputedStyle(words).opacity === '1';
    });
    expect(await findAxeViolations(waitTab.page)).toEqual([]);

    await shop.demo.kill('inventory');
    await inEachTab((tab) => tab.waitForContent({ ...everything, stock: noStock }));
    await waitTab.expectSteadyLayout();
    await shop.demo.start('inventory');
    await inEachTab((tab) => tab.waitForContent(everything));
  });

  test('stays readable while the browser is offline, and catches up afterwards', async () => {
    const offline =
      'You are offline. What you see is from before; the page catches up when the connection is back.';
    await browser.context.setOffline(true);
    await inEachTab(async (tab) => {
      await tab.page.getByText(offline).waitFor();
      await tab.waitForContent(everything);
      await tab.press('Load again');
      await tab.page.getByText('The product could not be loaded.').waitFor();
    });
    expect(await findAxeViolations(pageTab.page)).toEqual([]);
    await browser.context.setOffline(false);
    await inEachTab(async (tab) => {
      await tab.waitForContent(everything);
      await tab.page.getByText(offline).waitFor({ state: 'detached' });
      // The browser reports each request that has failed.
      const caused = /ERR_INTERNET_DISCONNECTED/;
      expect(tab.errors.splice(0).filter((error) => !caused.test(error))).toEqual([]);
    });
  });

  test('does not say that the browser is offline while the server of the page responds, and subscribes again', async () => {
    const { page } = pageTab;
    const live = page.locator('.live[data-state="live"]');
    await live.waitFor();
    const probed = page.waitForResponse((response) => response.request().method() === 'HEAD');
    // A machine without a network that runs the demo itself.
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'onLine', { configurable: true, value: false });
      window.dispatchEvent(new Event('offline'));
    });
    expect((await probed).status()).toBe(200);
    await pageTab.startMeasuring();
    expect(await page.getByText('You are offline.').count()).toBe(0);
    await page.locator('.live[data-state="interrupted"]').waitFor();
    await live.waitFor();
    await page.evaluate(() => {
      Reflect.deleteProperty(navigator, 'onLine');
      window.dispatchEvent(new Event('online'));
    });
  });

  test('shows a change of the stock in every tab', async () => {
    await inEachTab((tab) => tab.waitForContent(everything));
    await waitForSubscription();
    await pageTab.page.bringToFront();
    await pageTab.button('Reserve one').click();
    await pageTab.page.getByText('One is reserved for you.').waitFor();
    await inEachTab((tab) => tab.waitForContent({ stock: '130 in stock' }));
    await shop.demo.kill('inventory');
    await shop.demo.start('inventory');
  });
});

describe('the comparison of the modes', () => {
  test('loads the product in all modes at once and shows when it was visible in each', async () => {
    const { page } = pageTab;
    await page.bringToFront();
    await pageTab.setLook(3);
    // The test before has restarted a subgraph, and a part that fails in one of the modes never counts as complete.
    await waitForSubscription();
    const results = (): Promise<string[]> => page.locator('.mode-result').allTextContents();
    // A time of a second or more has a comma, too.
    const complete = /^Product after .+ m?s$/;
    const race = async (): Promise<void> => {
      await pageTab.button('Race all three').click();
      await page.waitForFunction(
        (pattern) => {
          const shown = [...document.querySelectorAll('.mode-result')].map(({ textContent }) => textContent);
          return shown.length === 3 && shown.every((text) => new RegExp(pattern).test(text));
        },
        complete.source,
        { polling: 50, timeout: 40_000 },
      );
    };
    await race()
      .catch(race)
      .catch(() => undefined);
    const everyMode = modes.map(() => expect.stringMatching(complete));
    expect(await results()).toEqual(everyMode);
    await pageTab.waitForContent(everything);
  });
});

describe('the fault panel', () => {
  test('kills a subgraph and restores the defaults with the keyboard', async () => {
    const { page } = graphTab;
    await page.bringToFront();
    const press = async (name: string): Promise<void> => {
      await graphTab.button(name).focus();
      await page.keyboard.press('Enter');
    };
    await page.locator('.faults summary').focus();
    await page.keyboard.press('Enter');
    await press('Kill recommendations');
    await graphTab.waitForContent({ ...everything, recommended: noRecommendations });
    await page.getByText('killed', { exact: true }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Start recommendations');
    expect(await graphTab.payloads()).toContainEqual(expect.stringContaining('Recommendations failed'));
    expect(await findAxeViolations(page)).toEqual([]);
    await press('Restore the defaults');
    await graphTab.waitForContent(everything);
    await page.getByText('All five subgraphs run as usual').waitFor();
  });
});

describe('the catalogue', () => {
  test('lists products without ratings and stock, and opens one, after the page has closed its update stream', async () => {
    await shop.demo.setFaults('inventory', { targets: { '*': { hangRate: 1 } } });
    await shop.demo.setFaults('reviews', { targets: { '*': { errorRate: 1 } } });
    await loadCold(2, [graphTab]);
    const { page } = graphTab;
    await graphTab.waitForContent({ stock: 'Still counting the stock…' });
    const closed = page.waitForEvent('requestfailed', {
      predicate: (request) => request.url().includes('/enrichments/'),
    });
    await page.getByRole('link', { name: 'Tributary Shop' }).click();
    const card = page.locator('.grid article').first();
    await card.getByText('Rating not available at the moment').waitFor();
    await card.getByText('Stock not known yet').waitFor();
    expect((await closed).failure()).not.toBeNull();
    expect(await page.locator('.grid article').count()).toBe(24);
    expect(await findAxeViolations(page)).toEqual([]);
    await card.getByRole('link').click();
    await graphTab.waitForContent({ heading: 'Arc Lamp, Black', stock: 'Still counting the stock…' });
  });

  test('shows its further pages at once or says that they failed, and keeps them when the stock of each page arrives late', async () => {
    await shop.demo.setFaults('inventory', { targets: { 'Product.stock': { latency: 200 } } });
    await coolDown();
    const page = await browser.context.newPage();
    const released = Promise.withResolvers<void>();
    await page.route('**/enrichments/**', (route) => released.promise.then(() => route.continue()), {
      times: 1,
    });
    await page.goto(`${shop.url}/?mode=graph`);
    const cards = page.locator('.grid article');
    const stocked = cards.filter({ hasText: /in stock|left|Sold out/ });
    await cards.nth(23).waitFor();
    let isFailing = true;
    // Stays: without any route, the browser would release the request above.
    await page.route('**/graphql', (route) => (isFailing ? route.abort() : route.continue()));
    await page.getByRole('button', { name: 'Show more' }).click();
    const failure = page.getByRole('alert').filter({ hasText: 'Further products could not be loaded.' });
    await failure.waitFor();
    isFailing = false;
    await failure.getByRole('button', { name: 'Try again' }).click();
    await cards.nth(47).waitFor();
    await failure.waitFor({ state: 'detached' });
    // Those of the second page.
    await stocked.nth(23).waitFor();
    expect(await stocked.count()).toBe(24);
    released.resolve();
    await stocked.nth(47).waitFor();
    await page.getByText(/^48 of /).waitFor();
    await page.close();
  });
});
