import { describe, expect, test } from '@jest/globals';
import type {
  InsightsData,
  OperationInsights,
  SeriesPoint,
  SubgraphInsights,
} from '../../../gateway/insights/insightsData.ts';
import { findAxeViolations } from '../../harness/axe.ts';
import { startEnrichedShop } from '../../harness/enrichedShop.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { newPage, openQuietly } from './pages.ts';

describe('the insights page in a browser', () => {
  test('explains itself without data, then shows what holds up which operation, retries a dead letter, and says under load which subgraph fails, without findings of axe', async () => {
    const timers = new FakeTimers();
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
    // Not "with errors": where an enrichment is pending, the client gets none.
    await advice.getByText('Answers in which it failed').waitFor();
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
    const page = await newPage();
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
    const page = await newPage();
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
    const page = await newPage();
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

  test('lists drifted subgraphs first with some of what they break, keeps the lines of a refusal and of a failing source, and says why it cannot show its data', async () => {
    await using shop = await startEnrichedShop();
    const { adminUrl } = shop.gateway;
    const real = (await (await fetch(`${adminUrl}/insights/data`)).json()) as InsightsData;
    const since = real.now;
    const breaks = Array.from({ length: 100 }, (_, index) => `web/Page${index}`);
    const subgraphs = [
      { name: 'fine', state: 'as agreed', since, breaks: [], breaksCount: 0 },
      { name: 'changed', state: 'drifted', since, breaks, breaksCount: 120 },
    ];
    const store = { subgraphs: 2, operations: 120 };
    const contracts = { guard: 'warn', store, lastCheck: null, refusals: [], drift: { subgraphs } };
    const refusal = 'It breaks 2 operations:\nweb/Page1: gone\nweb/Page2: gone';
    const sourceProblem =
      'the schema of subgraph "a" could not be fetched: status 503\nthe schema of subgraph "b" could not be fetched: status 503';
    let served: object = { ...real, contracts, supergraph: { id: '1', refusal, sourceProblem } };
    const page = await newPage();
    await page.route('**/insights/data', (route) => route.fulfill({ json: served }));
    await page.goto(`${adminUrl}/insights`);
    const rows = page.getByRole('group', { name: 'Drift of subgraphs' }).locator('tbody tr');
    await rows.nth(1).waitFor();
    expect(await rows.locator('th').allTextContents()).toEqual(['changed', 'fine']);
    expect(await rows.first().locator('td').last().textContent()).toBe(
      `${breaks.slice(0, 10).join(', ')}, and 110 more`,
    );
    const notices = page.locator('.warning');
    // As they are shown, with their lines.
    expect(await notices.allInnerTexts()).toEqual([
      `A newer supergraph was refused: ${refusal}`,
      `The source of the supergraph cannot be read: ${sourceProblem}`,
    ]);

    const { contracts: _, ...unknown } = real;
    served = unknown;
    await page.reload();
    await page.getByText(/^The page cannot show this data: .* Reload the page/).waitFor();
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
      budgets: { inTime: 0, stale: 0, missed: 0 },
      queued: 0,
      openBreakers: 0,
      backlog: 0,
      eventLoop: 0,
    };
    const single = { ...empty, firstPayload: { mean: 30, p50: 20, p95: 40, p99: 40 } };
    const page = await newPage();
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
    const page = await newPage();
    await page.clock.install();
    // The page reads again after a timeout, which is not on that clock.
    await page.addInitScript('AbortSignal.timeout = () => new AbortController().signal');
    const released = Promise.withResolvers<void>();
    let reads = 0;
    await page.route('**/insights/data', async (route) => {
      reads += 1;
      await released.promise;
      if (reads === 1) await route.fulfill({ status: 403 });
      else await route.fulfill({ json: null });
    });
    const first = page.waitForRequest('**/insights/data');
    await page.goto(`${shop.gateway.adminUrl}/insights`);
    await first;
    await page.clock.runFor(9_000);
    expect(reads).toBe(1);
    released.resolve();
    await page.getByText('The insights could not be read: status 403. The page tries again.').waitFor();
    await page.clock.runFor(5_000);
    await page.getByText('The insights could not be read: the response is not an object.').waitFor();
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
