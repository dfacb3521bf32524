import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, type GraphQLSchema } from 'graphql';
import type { Locator, Page } from 'playwright-core';
import { parse } from 'yaml';
import type { OperationRequest } from '../../../gateway/operation/operationRequest.ts';
import type { ExecutionOutcome } from '../../../gateway/response/executionOutcome.ts';
import { findAxeViolations } from '../../harness/axe.ts';
import { GatedFaultClock } from '../../harness/gatedFaultClock.ts';
import { singleOutcome, startScriptedServer } from '../../harness/scriptedServer.ts';
import { startTestGateway, type TestGateway } from '../../harness/testGateway.ts';
import { graphiqlDirectory, openPage, openQuietly, startOtherSite } from './pages.ts';

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

  test('names each editor with the key after which Tab leaves it, so that the keyboard is never caught', async () => {
    await using server = await startScriptedServer(executeOn, { graphiqlDirectory });
    const page = await openPage(server.url);
    await page.locator('.view-line').first().waitFor();
    const toggle = 'After Ctrl+M, or Ctrl+Shift+M on macOS, Tab leaves the editor.';
    for (const name of ['Operation', 'Variables', 'Headers'])
      await page.locator(`textarea[aria-label="${name}. ${toggle}"]`).waitFor({ state: 'attached' });
    const editor = page.getByRole('textbox', { name: `Operation. ${toggle}` });
    const isFocused = () => editor.evaluate((element) => element === document.activeElement);
    await editor.focus();
    await page.keyboard.press('Tab');
    expect(await isFocused()).toBe(true);
    await page.keyboard.press('Control+m');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toMatch(
      /^Execute query/,
    );
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

  test('leaves the answer where it is while an operation runs, and says which fetches failed without a request', async () => {
    const fetched = {
      subgraph: 'reviews',
      entities: 3,
      group: 0,
      startMs: 0,
      endMs: 1,
      error: 'CIRCUIT_OPEN',
    };
    const explain = { fetches: [fetched] };
    const released = Promise.withResolvers<void>();
    await page.route(shop.url, async (route) => {
      await released.promise;
      await route.fulfill({ json: { data: { node: 'answered' }, extensions: { tributary: { explain } } } });
    });
    await openTab('Plain');
    const topOfAnswer = () =>
      page.evaluate("document.querySelector('.result-window').getBoundingClientRect().top");
    const atRest = await topOfAnswer();
    await run();
    await answer().locator('.graphiql-spinner').waitFor();
    expect(await topOfAnswer()).toBe(atRest);
    released.resolve();
    await answer().getByText('"answered"').waitFor();
    expect(await rows()).toEqual(['reviews 3 entities, not sent, CIRCUIT_OPEN', 'first payload']);
    await page.unroute(shop.url);
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
