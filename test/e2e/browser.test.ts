import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, type GraphQLSchema } from 'graphql';
import type { Locator, Page } from 'playwright-core';
import { parse } from 'yaml';
import type {
  InsightsData,
  OperationInsights,
  SeriesPoint,
  SubgraphInsights,
} from '../../gateway/insights/insightsData.ts';

import type { OperationRequest } from '../../gateway/operation/operationRequest.ts';
import type { ExecutionOutcome } from '../../gateway/response/executionOutcome.ts';
import { ensureGraphiql, ensureInsightsPage } from '../../scripts/bundles.ts';
import { findAxeViolations } from '../harness/axe.ts';
import { browserStartTimeoutMs, startBrowser, type TestBrowser } from '../harness/browser.ts';
import { closeServer } from '../harness/closeServer.ts';
import { startEnrichedShop } from '../harness/enrichedShop.ts';
import { GatedFaultClock } from '../harness/gatedFaultClock.ts';
import { createManualTimers } from '../harness/manualTimers.ts';
import { ScriptedEvents, singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';

let browser: TestBrowser | undefined;
let graphiqlDirectory: string;

beforeAll(async () => {
  [browser, graphiqlDirectory] = await Promise.all([startBrowser(), ensureGraphiql(), ensureInsightsPage()]);
}, browserStartTimeoutMs);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
});

async function openPage(url: string): Promise<Page> {
  const page = await (browser as TestBrowser).context.newPage();
  await page.goto(url);
  return page;
}

/** Opens a page and collects what its console shows, and requests to other hosts. */
async function openQuietly(
  url: string,
  origin: string,
): Promise<{ page: Page; problems: readonly string[] }> {
  const page = await (browser as TestBrowser).context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin && !request.url().startsWith('data:'))
      problems.push(request.url());
  });
  await page.goto(url);
  return { page, problems };
}

/** The first event, or the state after the first error: 0 if the `EventSource` reconnects, 2 if it does not. */
function subscribe(page: Page, url: string): Promise<unknown> {
  return page.evaluate(
    (address) =>
      new Promise<unknown>((resolve) => {
        const source = new EventSource(address);
        source.addEventListener('next', ({ data }) => {
          source.close();
          resolve(data);
        });
        source.addEventListener('error', () => {
          resolve(source.readyState);
          source.close();
        });
      }),
    url,
  );
}

const subscription = `?${new URLSearchParams({ query: 'subscription { greetings }' })}`;

/** Sends one event, and continues. */
function greet(): ExecutionOutcome {
  const scripted = new ScriptedEvents();
  scripted.push({ data: { greetings: 'hello' } });
  return scripted.outcome;
}

/** A page of another origin. Pages of the host 127.0.0.1 share the cookies of the gateway. */
async function startOtherSite(host = 'localhost'): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>Other site</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

describe("a browser's EventSource", () => {
  test('subscribes from a page of the same origin', async () => {
    await using server = await startScriptedServer(greet, { graphiqlDirectory });
    const page = await openPage(server.url);
    expect(await subscribe(page, server.url + subscription)).toBe('{"data":{"greetings":"hello"}}');
    await page.close();
  });

  test('subscribes from a page of an origin that CORS lists', async () => {
    await using site = await startOtherSite();
    await using server = await startScriptedServer(greet, {
      security: { cors: { origins: [site.url] } },
    });
    const page = await openPage(site.url);
    expect(await subscribe(page, server.url + subscription)).toBe('{"data":{"greetings":"hello"}}');
    await page.close();
  });

  test('is refused and does not reconnect from a page of another origin', async () => {
    await using site = await startOtherSite();
    await using server = await startScriptedServer(greet);
    const page = await openPage(site.url);
    expect(await subscribe(page, server.url + subscription)).toBe(2);
    expect(server.receivedOperations).toEqual([]);
    await page.close();
  });

  test('is refused and does not reconnect with an invalid operation', async () => {
    await using server = await startScriptedServer(greet, { graphiqlDirectory });
    const page = await openPage(server.url);
    expect(await subscribe(page, `${server.url}?query=subscription{nothing}`)).toBe(2);
    await page.close();
  });
});

/** Sends an operation with cookies, as the page. Returns what the page can read, or the error's name. */
function operate(page: Page, url: string, headers: Record<string, string> = {}): Promise<unknown> {
  return page.evaluate(
    async ([address, more]) => {
      try {
        const response = await fetch(address as string, {
          method: 'POST',
          credentials: 'include',
          headers: { 'content-type': 'application/json', ...(more as object) },
          body: '{"query":"{ greeting }"}',
        });
        const readable = ['x-request-id', 'x-cost', 'x-content-type-options'];
        return [await response.json(), readable.filter((name) => response.headers.has(name))];
      } catch (error) {
        return (error as Error).name;
      }
    },
    [url, headers] as const,
  );
}

describe('a page of another origin with credentials in a browser', () => {
  const answer = () => singleOutcome('{"greeting":"hello"}');
  const refused = 'TypeError';

  test('reads responses to its cookies if its origin is listed and credentials are on', async () => {
    await using site = await startOtherSite('127.0.0.1');
    await using server = await startScriptedServer(answer, {
      security: {
        cors: { origins: [site.url], credentials: true, allowHeaders: ['x-tenant'], maxAge: 60_000 },
      },
    });
    const page = await openPage(site.url);
    await page.evaluate('document.cookie = "session=secret"');
    const headers = { 'x-tenant': 'a', 'x-request-id': 'mine' };
    expect(await operate(page, server.url, headers)).toEqual([
      { data: { greeting: 'hello' } },
      ['x-request-id'],
    ]);
    const [received] = server.receivedOperations;
    expect(['cookie', 'x-tenant', 'x-request-id'].map((name) => received?.headers.get(name))).toEqual([
      'session=secret',
      'a',
      'mine',
    ]);
    // The browser asks for permission, and the gateway does not give it for this header.
    expect(await operate(page, server.url, { 'x-other': 'a' })).toBe(refused);
    expect(server.receivedOperations.length).toBe(1);
    await page.close();
  });

  test.each([
    ['its origin is not listed', ['https://shop.example'], true],
    ['credentials are off', undefined, false],
  ])('is not allowed to send the operation if %s', async (_, origins, credentials) => {
    await using site = await startOtherSite('127.0.0.1');
    await using server = await startScriptedServer(answer, {
      security: { cors: { origins: origins ?? [site.url], credentials } },
    });
    const page = await openPage(site.url);
    expect(await operate(page, server.url)).toBe(refused);
    expect(server.receivedOperations).toEqual([]);
    await page.close();
  });

  test('gets no result of its cookies on its event stream if credentials are off', async () => {
    await using site = await startOtherSite('127.0.0.1');
    await using server = await startScriptedServer(answer, { security: { cors: { origins: [site.url] } } });
    const page = await openPage(site.url);
    await page.evaluate('document.cookie = "session=secret"');
    const status = await page.evaluate(async (url) => {
      const token = await (await fetch(url, { method: 'PUT', credentials: 'omit' })).text();
      const extensions = JSON.stringify({ operationId: '1' });
      const search = new URLSearchParams({ query: '{ greeting }', extensions, token });
      // The page cannot read this response. Its stream would get the result.
      await fetch(`${url}?${search}`, { credentials: 'include' }).catch(() => undefined);
      return (await fetch(`${url}?${search}`, { credentials: 'omit' })).status;
    }, server.url);
    expect(status).toBe(202);
    expect(server.receivedOperations.map(({ headers }) => headers.get('cookie'))).toEqual([undefined]);
    await page.close();
  });

  test('reads responses as a subdomain that a wildcard lists', async () => {
    await using site = await startOtherSite();
    const { port } = new URL(site.url);
    await using server = await startScriptedServer(answer, {
      security: { cors: { origins: [`http://*.localhost:${port}`], credentials: true } },
    });
    for (const [host, expected] of [
      ['shop.localhost', [{ data: { greeting: 'hello' } }, ['x-request-id']]],
      ['localhost', refused],
    ] as const) {
      const page = await openPage(`http://${host}:${port}`);
      expect(await operate(page, server.url)).toEqual(expected);
      await page.close();
    }
  });
});

describe('GraphiQL in a browser', () => {
  async function executeOn(
    { document, variables }: OperationRequest,
    { apiSchema: schema }: { readonly apiSchema: GraphQLSchema },
  ): Promise<ExecutionOutcome> {
    const rootValue = { node: { id: '1', name: 'hello from the gateway' } };
    const { data } = await execute({ schema, document, variableValues: variables, rootValue });
    return singleOutcome(JSON.stringify(data));
  }

  test('opens with one tab that says how to begin, and says why it shows no fetches', async () => {
    await using server = await startScriptedServer(executeOn, {
      graphiqlDirectory,
      security: { introspection: true },
    });
    const { page, problems } = await openQuietly(server.url, new URL(server.url).origin);
    await page.getByRole('button', { name: 'Start', exact: true }).waitFor();
    // The first field of the graph that needs no argument and has fields.
    await page.locator('.view-line').getByText('node').waitFor();
    await page.getByRole('button', { name: /Execute query/ }).click();
    await page.locator('.graphiql-response').getByText('"hello from the gateway"').waitFor();
    const pane = page.getByRole('region', { name: 'Timing and query plan' });
    await pane.getByText(/^1 payload in /).waitFor();
    await pane.getByText('security.exposeSubgraphs: true').waitFor();
    expect(await pane.getByText('Query plan', { exact: true }).count()).toBe(0);
    expect(problems).toEqual([]);
    await page.close();
  });

  test('is not shown in a frame of another page', async () => {
    await using site = await startOtherSite();
    await using server = await startScriptedServer(executeOn, { graphiqlDirectory });
    const page = await openPage(site.url);
    const refused = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'));
    await page.evaluate((url) => {
      const frame = document.createElement('iframe');
      frame.src = url;
      document.body.append(frame);
    }, server.url);
    await refused;
    expect(await page.frameLocator('iframe').locator('#graphiql').count()).toBe(0);
    await page.close();
  });
});

describe("GraphiQL with the demo's tabs in a browser", () => {
  const { graphiqlTabs, ...security } = parse(readFileSync('tributary.yaml', 'utf8')).security as {
    readonly graphiqlTabs: string[];
  };
  let gate = new GatedFaultClock();
  let shop: TestGateway;
  let page: Page;
  let problems: readonly string[];
  const titles = ['Plain', 'Deferred', 'Enrichment', 'StockChanged'];
  const answer = () => page.locator('.graphiql-response');
  const pane = () => page.getByRole('region', { name: 'Timing and query plan' });
  const rows = async () => {
    const texts = await pane()
      .getByRole('list', { name: 'Time line' })
      .getByRole('listitem')
      .allTextContents();
    // Without the times.
    return texts.map((text) => text.replace(/[\d.]+ m?s$/, ''));
  };
  const openTab = (name: string) => page.getByRole('button', { name, exact: true }).click();
  // The button has a menu as long as GraphiQL knows only the operations of the former tab.
  const run = () => page.locator('.graphiql-execute-button:not([aria-haspopup])').click();

  beforeAll(async () => {
    shop = await startTestGateway({
      faults: { recommendations: 'Product.recommended=latency:1' },
      clock: { sleep: (ms, signal) => gate.sleep(ms, signal) },
      config: {
        security: { ...security, graphiqlTabs },
        enrichment: { mode: 'always' },
        subgraphs: { all: { subscription: { protocol: 'graphql_ws', path: '/ws' } } },
      },
    });
    ({ page, problems } = await openQuietly(shop.url, new URL(shop.url).origin));
    await page.locator('.view-line').first().waitFor();
  });

  afterAll(async () => {
    await page.close();
    await shop.close();
  });

  test('shows when fetches ran and the payload arrived, and the plan, however often the operation is run', async () => {
    for (let times = 0; times < 2; times++) {
      await openTab('Plain');
      await run();
      await answer().getByText('"topProducts"').waitFor();
      await pane().getByText('The first payload waited for products → ').waitFor();
      expect((await rows()).sort()).toEqual([
        'accounts 3 entities',
        'first payload',
        'inventory 3 entities',
        'products root fields',
        'reviews 3 entities',
      ]);
      await pane().getByText('Query plan', { exact: true }).click();
      await pane().getByText('Flatten(path: "topProducts.@")').first().waitFor();
      await pane().getByText('Query plan', { exact: true }).click();
    }
  });

  test('sends mutations while a subscription of the tab runs, and shows their events', async () => {
    await openTab('StockChanged');
    const [sellOut, restock] = ['Send SellOut', 'Send Restock'].map((name) =>
      pane().getByRole('button', { name }),
    ) as [Locator, Locator];
    expect(await sellOut.isDisabled()).toBe(true);
    const subscribed = page.waitForResponse((response) => response.url() === shop.url);
    await page.locator('.graphiql-execute-button[aria-haspopup]').click();
    await page.getByRole('menuitem', { name: 'StockChanged' }).click();
    await pane().getByText('The subscription is running: 0 events.').waitFor();
    await subscribed;
    await sellOut.click();
    await answer().getByText('"current": 0').waitFor();
    await restock.press('Enter');
    await answer().getByText('"current": 40').waitFor();
    await pane().getByText('The subscription is running: 2 events.').waitFor();
    await page.getByRole('button', { name: /Stop query/ }).click();
    await pane().getByText('The subscription has ended: 2 events.').waitFor();
    expect((await rows()).sort()).toEqual([
      'event',
      'event',
      'products 1 entity',
      'sent Restock',
      'sent SellOut',
    ]);
  });

  test('merges a deferred payload into the answer when it arrives', async () => {
    await openTab('Deferred');
    await run();
    await answer().getByText('"77.50"').waitFor();
    await pane()
      .getByText(/^1 payload in .*, more to follow/)
      .waitFor();
    expect(await answer().getByText('"recommended"').count()).toBe(0);
    gate.open();
    await answer().getByText('"recommended"').waitFor();
    await pane()
      .getByText(/^2 payloads in/)
      .waitFor();
    expect(await rows()).toEqual([
      'products root fields',
      'recommendations 1 entity',
      'products 3 entities',
      'first payload',
      'recommendations',
    ]);
  });

  test('gets the pending field of an answer with its token', async () => {
    gate = new GatedFaultClock();
    await openTab('Enrichment');
    await run();
    await answer().getByText('"recommended": null').waitFor();
    await pane()
      .getByText(/^1 payload in .*, more to follow/)
      .waitFor();
    gate.open();
    await answer().getByText('"name": "Stockpot, 28 cm"').waitFor();
    await pane()
      .getByText(/^2 payloads in/)
      .waitFor();
    expect(await rows()).toEqual([
      'products root fields',
      'inventory 1 entity',
      'recommendations 1 entity, still running when the payload was sent',
      'first payload',
      'enrichment product.recommended',
    ]);
  });

  test('knows @defer in the editor, and marks only what is wrong', async () => {
    const query = '{ product(id: "p1") { nonsense ... @defer(label: "a", if: true) { name } } }';
    await page.goto(`${shop.url}?${new URLSearchParams({ query })}`);
    await page.locator('.squiggly-error').waitFor();
    expect(await page.locator('.squiggly-error, .squiggly-warning, .squiggly-info').count()).toBe(1);
  });

  test('opens with its prepared tabs, keeps own ones, and opens closed ones again', async () => {
    const tabs = page.getByRole('list', { name: 'Select active operation' }).getByRole('listitem');
    expect(await tabs.locator('button:first-child').allTextContents()).toEqual([...titles, 'Untitled']);
    await tabs.first().hover();
    await page.getByRole('button', { name: 'Close tab Plain' }).click();
    expect(await tabs.count()).toBe(4);
    await pane().getByRole('button', { name: 'Reopen prepared tabs' }).click();
    await page.waitForLoadState();
    await page.locator('.view-line').first().waitFor();
    expect(await tabs.locator('button:first-child').allTextContents()).toEqual([...titles, 'Untitled']);
  });

  test('keeps the fields of objects in lists to which a deferred payload adds others', async () => {
    const query =
      '{ product(id: "p1") { reviews { rating } ... @defer { reviews { author { displayName } } } } }';
    await page.goto(`${shop.url}?${new URLSearchParams({ query })}`);
    await page.locator('.view-line').first().waitFor();
    await run();
    await answer().getByText('"displayName"').first().waitFor();
    expect(await answer().getByText('"rating"').count()).toBeGreaterThan(0);
  });

  test.each([
    [1_280, 'light'],
    [390, 'dark'],
  ] as const)('has no finding of axe with an answer at %i pixels, %s', async (width, colorScheme) => {
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme });
    await openTab('Plain');
    await run();
    await pane().getByText('The first payload waited for').waitFor();
    await pane()
      .locator('details')
      .evaluate((plan) => plan.setAttribute('open', ''));
    expect(await findAxeViolations(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    // Nothing is below the page: it ends with its container.
    const bottom = "document.querySelector('.graphiql-container').getBoundingClientRect().bottom + scrollY";
    expect(await page.evaluate(`document.documentElement.scrollHeight - Math.round(${bottom})`)).toBe(0);
    await openTab('Deferred');
    await page.getByText('@defer', { exact: true }).first().waitFor();
    expect(await findAxeViolations(page)).toEqual([]);
  });

  test('writes nothing to the console, and loads nothing from other hosts', () => {
    expect(problems).toEqual([]);
  });

  test('says nothing about a plan when the gateway does not answer', async () => {
    await page.route(shop.url, (route) => route.abort());
    await openTab('Plain');
    await run();
    await answer().getByText('Failed to fetch').waitFor();
    await pane().getByText('Nothing arrived.').waitFor();
    expect(await pane().getByText('No query plan').count()).toBe(0);
  });
});

describe('the insights page in a browser', () => {
  test('explains itself without data, then shows what holds up which operation, retries a dead letter, and says under load which subgraph fails, without findings of axe', async () => {
    const timers = createManualTimers();
    await using shop = await startEnrichedShop({
      enrichment: { jobs: { attempts: 1 } },
      config: {
        subgraphs: { all: { retry: { enabled: false }, breaker: { minCalls: 4, openFor: '1h' } } },
      },
      dependencies: { timers, now: () => Date.UTC(2026, 0, 1) + timers.now() },
    });
    const { adminUrl } = shop.gateway;
    const { page, problems } = await openQuietly(`${adminUrl}/insights`, adminUrl);
    const region = (name: string) => page.getByRole('region', { name, exact: true });
    await region('Operations').getByText('No operation was executed yet').waitFor();
    await region('Now').getByText('ten seconds after').waitFor();
    await region('Subgraphs').getByText('no calls').first().waitFor();
    await region('Enrichments').getByText('No enrichment is pending').waitFor();
    await region('Contracts').getByText('The contract guard is off').waitFor();
    expect(await findAxeViolations(page)).toEqual([]);

    // The pending field of the second operation fails, and its job becomes a dead letter.
    await shop.execute('query List { products { name } }');
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const { extensions } = await shop.execute('query Top { top { name advice { text } } }');
    await shop.fetchUpdates(extensions?.tributary?.enrichment?.token);
    timers.fire(10_000);
    const readData = async () =>
      (await fetch(`${adminUrl}/insights/data`)).json() as Promise<{ series: unknown[] }>;
    while ((await readData()).series.length === 0);
    await page.reload();

    const operations = region('Operations');
    await operations.getByRole('button', { name: 'Top' }).focus();
    await page.keyboard.press('Enter');
    await operations.getByRole('heading', { name: 'Top' }).waitFor();
    const bars = operations.getByRole('figure').getByRole('listitem');
    expect(await bars.first().textContent()).toContain('catalog root (critical path)');
    await region('Subgraphs')
      .getByRole('listitem')
      .filter({ hasText: 'advice' })
      .getByText('failing')
      .waitFor();
    expect(await region('Now').getByText('Answers per second').locator('xpath=..').textContent()).toBe(
      'Answers per second0.2',
    );
    const enrichments = region('Enrichments');
    await enrichments.getByText('Waiting or running: 0. Dead letters: 1.').waitFor();
    shop.advice.answerWith(undefined);
    await enrichments.getByRole('button', { name: 'Retry Product.advice' }).press('Enter');
    await enrichments.getByText('waits for its next attempt').waitFor();
    await enrichments.getByText('Dead letters: 0.').waitFor();

    // Load, while the subgraph of the enrichments fails, until its circuit breaker opens.
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const status = page.getByRole('button', { name: /Pause|Resume/ });
    for (let round = 0; round < 5; round++) {
      const queries = Array.from({ length: 40 }, () => 'query Loaded { top { name advice { text } } }');
      const answers = Promise.all(queries.map((query) => shop.execute(query)));
      // The page reads the data when it resumes.
      await status.click();
      await status.click();
      await answers;
    }
    timers.fire(10_000);
    while ((await readData()).series.length === 1);
    await status.click();
    await status.click();
    await operations.getByRole('row', { name: /^Loaded 200 0 %/ }).waitFor();
    const advice = region('Subgraphs').getByRole('listitem').filter({ hasText: 'advice' });
    await advice.getByText('not called').waitFor();
    await region('Now')
      .getByText('Open breakers')
      .locator('xpath=..')
      .filter({ hasText: /^Open breakers1$/ })
      .waitFor();
    await region('Charts')
      .getByRole('img', {
        name: /^Waiting. Latest: queued calls 0 , unfinished jobs \d+ , open breakers 1 .$/,
      })
      .waitFor();

    for (const [width, colorScheme] of [
      [390, 'light'],
      [1_280, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      // Charts follow the width of the window a moment later.
      while ((await page.evaluate('document.documentElement.scrollWidth')) !== width);
      expect(await findAxeViolations(page)).toEqual([]);
    }
    await page.emulateMedia({ forcedColors: 'active' });
    const [bar, background] = await bars
      .first()
      .locator('.bar')
      .last()
      .evaluate((element) => [element, document.body].map((one) => getComputedStyle(one).backgroundColor));
    expect(bar).not.toBe(background);
    expect(problems).toEqual([]);
    await page.close();
  });

  test('keeps its layout and what is selected with long names, many jobs and old times, and says since when its data is old', async () => {
    await using shop = await startEnrichedShop();
    const { adminUrl } = shop.gateway;
    await shop.execute('query Short { products { name } }');
    const real = (await (await fetch(`${adminUrl}/insights/data`)).json()) as InsightsData;
    const [operation] = real.operations as [OperationInsights];
    const [subgraph] = real.subgraphs as [SubgraphInsights];
    const name = 'LongName'.repeat(30);
    const lastUsedAt = '2026-01-30T12:00:00.000Z';
    const job = { state: 'failed', coordinates: ['Product.advice'], attempts: 1, ageMs: 1 };
    const data: InsightsData = {
      ...real,
      now: '2026-01-31T12:00:00.000Z',
      subgraphs: [{ ...subgraph, name, callsPerSecond: 12_345.6, failureShare: 0.996 }],
      operations: [{ ...operation, name, lastUsedAt }, operation],
      jobs: Array.from({ length: 100 }, (_, id) => ({ ...job, id: `${id}` })),
    };
    let served: InsightsData | undefined = data;
    const page = await (browser as TestBrowser).context.newPage();
    await page.clock.install({ time: data.now });
    await page.route('**/insights/data', (route) =>
      served === undefined ? route.abort() : route.fulfill({ json: served }),
    );
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${adminUrl}/insights`);
    const details = page.getByRole('article');
    await details.getByRole('heading', { name }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    const operations = page.getByRole('group', { name: 'Operations' });
    expect(await operations.evaluate((frame) => frame.scrollWidth - frame.clientWidth)).toBe(0);
    const lineCounts = await details.getByRole('heading', { name }).evaluate((heading) =>
      Array.from(heading.childNodes, (node) => {
        const range = document.createRange();
        range.selectNode(node);
        return range.getClientRects().length;
      }),
    );
    // Names break between their words only.
    expect([lineCounts.length, Math.max(...lineCounts)]).toEqual([119, 1]);
    await page.getByRole('cell', { name: /^Last used: Jan (29|30|31), / }).waitFor();
    await page.getByText('Dead letters: 100 or more').waitFor();
    await page.getByText('12,345.6').waitFor();
    await page.getByText('> 99 %').waitFor();

    await details.getByText('The operation, without its values').click();
    served = { ...data, operations: [...data.operations].reverse() };
    await page.getByRole('button', { name: 'Pause' }).click();
    await operations.getByRole('row').first().getByRole('button', { name: 'Short' }).waitFor();
    await details.getByRole('heading', { name }).waitFor();
    await details.locator('pre').waitFor();

    // A status that changes is spoken: it has no time while all is well.
    const status = page.getByRole('status').first();
    expect(await status.textContent()).toBe('Paused');
    served = undefined;
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText(/^No new data since \d\d:00:00: Failed to fetch$/).waitFor();
    await page.close();
  });

  test('finds an operation by its name among hundreds on a narrow screen', async () => {
    await using shop = await startEnrichedShop();
    const { adminUrl } = shop.gateway;
    await shop.execute('query Short { products { name } }');
    const real = (await (await fetch(`${adminUrl}/insights/data`)).json()) as InsightsData;
    const [operation] = real.operations as [OperationInsights];
    const operations = Array.from({ length: 300 }, (_, index) => ({ ...operation, name: `Page${index}` }));
    const page = await (browser as TestBrowser).context.newPage();
    await page.route('**/insights/data*', (route) => {
      const text = new URL(route.request().url()).searchParams.get('search') ?? '';
      const found = operations.filter(({ name }) => name.toLowerCase().includes(text));
      return route.fulfill({
        json: { ...real, operations: found.slice(0, 100), operationCount: found.length },
      });
    });
    await page.setViewportSize({ width: 320, height: 800 });
    await page.goto(`${adminUrl}/insights`);
    const search = page.getByRole('searchbox', { name: 'Find by name' });
    const rows = page.getByRole('group', { name: 'Operations' }).locator('tbody tr');
    await search.fill('page28');
    await page.getByText('11 operations').waitFor();
    expect(await rows.count()).toBe(11);
    await rows.getByRole('button', { name: 'Page287' }).press('Enter');
    // The keyboard continues at the details, not at the next operation.
    await page.getByRole('article').locator('h3:focus', { hasText: 'Page287' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
    expect(await findAxeViolations(page)).toEqual([]);
    await search.fill('nothing');
    await page.getByText('0 operations').waitFor();
    await search.fill('');
    await rows.nth(99).waitFor();
    expect(await search.evaluate((input) => input === document.activeElement)).toBe(true);
    // Backwards, the fixed head of the table does not cover what has the focus.
    await page.setViewportSize({ width: 1_280, height: 800 });
    await rows.nth(20).getByRole('button').focus();
    for (let step = 0; step < 10; step++) {
      await page.keyboard.press('Shift+Tab');
      const isVisible = await page.locator(':focus').evaluate((button) => {
        const { left, top } = button.getBoundingClientRect();
        return button.contains(document.elementFromPoint(left + 2, top + 4));
      });
      expect([step, isVisible]).toEqual([step, true]);
    }
    await page.close();
  });

  test('shows the subgraphs that need attention first, folds the others of many, and counts no jobs that it cannot read', async () => {
    await using shop = await startEnrichedShop();
    const { adminUrl } = shop.gateway;
    const real = (await (await fetch(`${adminUrl}/insights/data`)).json()) as InsightsData;
    const [subgraph] = real.subgraphs as [SubgraphInsights];
    const fine = {
      ...subgraph,
      callsPerSecond: 1,
      latency: { p50: 1, p95: 1, p99: 1, mean: 1 },
      breaker: null,
    };
    let subgraphs: readonly SubgraphInsights[] = [
      { ...subgraph, name: 'idle', callsPerSecond: 0, latency: null, breaker: null },
      { ...fine, name: 'fine' },
      { ...fine, name: 'half open', breaker: 'half-open' },
      { ...fine, name: 'open', breaker: 'open' },
    ];
    const jobs = { error: 'Redis cannot be reached.' };
    const page = await (browser as TestBrowser).context.newPage();
    await page.route('**/insights/data', (route) => route.fulfill({ json: { ...real, subgraphs, jobs } }));
    await page.goto(`${adminUrl}/insights`);
    const region = page.getByRole('region', { name: 'Subgraphs', exact: true });
    await region.getByRole('listitem').first().waitFor();
    const shown = () => region.locator('h3:visible').allTextContents();
    expect(await shown()).toEqual(['open not called', 'half open some failures', 'fine fine', 'idle idle']);
    expect(await page.getByText('Dead letters').count()).toBe(0);

    const others = Array.from({ length: 40 }, (_, index) => ({ ...fine, name: `other ${index}` }));
    subgraphs = [...others, ...subgraphs];
    await page.reload();
    const folded = region.getByText('42 subgraphs without problems');
    await folded.waitFor();
    expect(await shown()).toEqual(['open not called', 'half open some failures']);
    await folded.click();
    await region.getByRole('heading', { name: 'other 39' }).waitFor();
    expect(await findAxeViolations(page)).toEqual([]);
    await page.close();
  });

  test('draws a value between two gaps as a point', async () => {
    await using shop = await startEnrichedShop();
    const { adminUrl } = shop.gateway;
    const real = (await (await fetch(`${adminUrl}/insights/data`)).json()) as InsightsData;
    const empty: Omit<SeriesPoint, 'at'> = {
      answers: 0,
      errors: 0,
      firstPayload: null,
      completion: null,
      cache: { hits: 0, stale: 0, misses: 0 },
      budgets: { kept: 0, stale: 0, missed: 0 },
      queued: 0,
      openBreakers: 0,
      backlog: 0,
      eventLoop: 0,
    };
    const single = { ...empty, firstPayload: { mean: 30, p50: 20, p95: 40, p99: 40 } };
    const page = await (browser as TestBrowser).context.newPage();
    await page.emulateMedia({ colorScheme: 'light' });
    const countPixelsOfLine = async (points: readonly Omit<SeriesPoint, 'at'>[]): Promise<unknown> => {
      const series = points.map((point, index) => ({ ...point, at: `2026-01-31T12:00:${index}0.000Z` }));
      await page.route('**/insights/data', (route) => route.fulfill({ json: { ...real, series } }));
      await page.goto(`${adminUrl}/insights`);
      await page.locator('.chart canvas').first().waitFor();
      return page.evaluate(`(() => {
        const canvas = document.querySelector('.chart canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        // --line-0 of styles.css
        return data.filter((red, at) => at % 4 === 0 && red === 11 && data[at + 1] === 95 && data[at + 2] === 165).length;
      })()`);
    };
    expect(await countPixelsOfLine([empty, empty, empty])).toBe(0);
    expect(await countPixelsOfLine([empty, single, empty])).toBeGreaterThan(0);
    await page.close();
  });

  test('says why it has no data, and reads it again only when the answer before has arrived', async () => {
    await using shop = await startEnrichedShop();
    const page = await (browser as TestBrowser).context.newPage();
    await page.clock.install();
    const released = Promise.withResolvers<void>();
    let reads = 0;
    await page.route('**/insights/data', async (route) => {
      reads += 1;
      await released.promise;
      await route.fulfill({ status: 403 });
    });
    const first = page.waitForRequest('**/insights/data');
    await page.goto(`${shop.gateway.adminUrl}/insights`);
    await first;
    await page.clock.runFor(9_000);
    expect(reads).toBe(1);
    released.resolve();
    await page.getByText('The insights could not be read: status 403. The page tries again.').waitFor();
    await page.unroute('**/insights/data');
    await page.clock.runFor(5_000);
    await page.getByRole('region', { name: 'Now', exact: true }).waitFor();
    await page.close();
  });

  test('has less than 200 kB, and a policy that allows nothing inline and no other host', async () => {
    await using shop = await startEnrichedShop();
    const { adminUrl } = shop.gateway;
    const page = await fetch(`${adminUrl}/insights`);
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    let bytes = 0;
    for (const file of ['insights', 'insights/app.js', 'insights/style.css']) {
      const response = await fetch(`${adminUrl}/${file}`);
      expect([file, response.status]).toEqual([file, 200]);
      bytes += (await response.arrayBuffer()).byteLength;
    }
    expect(bytes).toBeLessThan(200_000);
  });
});
