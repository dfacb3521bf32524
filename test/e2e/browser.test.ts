import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, type GraphQLSchema } from 'graphql';
import type { Page } from 'playwright-core';
import type { OperationRequest } from '../../gateway/operation/operationRequest.ts';
import type { ExecutionOutcome } from '../../gateway/response/executionOutcome.ts';
import { bundleGraphiql } from '../../gateway/transport/graphiql/bundle.ts';
import { ensureInsightsPage } from '../../scripts/bundles.ts';
import { browserStartTimeoutMs, startBrowser, type TestBrowser } from '../harness/browser.ts';
import { startEnrichedShop } from '../harness/enrichedShop.ts';
import { createManualTimers } from '../harness/manualTimers.ts';
import { ScriptedEvents, singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';

let browser: TestBrowser | undefined;
let graphiqlDirectory: string;

beforeAll(async () => {
  graphiqlDirectory = await mkdtemp(join(tmpdir(), 'graphiql-'));
  [browser] = await Promise.all([startBrowser(), bundleGraphiql(graphiqlDirectory), ensureInsightsPage()]);
}, browserStartTimeoutMs);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await rm(graphiqlDirectory, { recursive: true });
});

async function openPage(url: string): Promise<Page> {
  const page = await (browser as TestBrowser).context.newPage();
  await page.goto(url);
  return page;
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
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
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
    const rootValue = { greeting: 'hello from the gateway' };
    const { data } = await execute({ schema, document, variableValues: variables, rootValue });
    return singleOutcome(JSON.stringify(data));
  }

  test('loads its editor and executes an operation within its content security policy', async () => {
    await using server = await startScriptedServer(executeOn, {
      graphiqlDirectory,
      security: { introspection: true },
    });
    const page = await (browser as TestBrowser).context.newPage();
    const problems: string[] = [];
    const { promise: startedOrFailed, resolve: onStartOrFailure } = Promise.withResolvers<void>();
    const report = (problem: string): void => {
      problems.push(problem);
      onStartOrFailure();
    };
    page.on('pageerror', ({ message }) => report(message));
    page.on('console', (message) => {
      if (message.type() === 'error') report(message.text());
    });
    page.on('worker', () => onStartOrFailure());
    await page.goto(`${server.url}?${new URLSearchParams({ query: '{ greeting }' })}`);
    await startedOrFailed;
    expect(problems).toEqual([]);
    await page.getByRole('button', { name: /Execute query/ }).click();
    await page.getByText('hello from the gateway').waitFor();
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

describe('the insights page in a browser', () => {
  /** Opens the page and collects what its console shows, and requests to other hosts. */
  async function openInsights(adminUrl: string): Promise<{ page: Page; problems: readonly string[] }> {
    const page = await (browser as TestBrowser).context.newPage();
    const problems: string[] = [];
    page.on('console', (message) => problems.push(message.text()));
    page.on('pageerror', ({ message }) => problems.push(message));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== adminUrl && !request.url().startsWith('data:'))
        problems.push(request.url());
    });
    await page.goto(`${adminUrl}/insights`);
    return { page, problems };
  }

  test('explains itself without data, and then shows what holds up which operation, and retries a dead letter', async () => {
    const timers = createManualTimers();
    await using shop = await startEnrichedShop({
      enrichment: { jobs: { attempts: 1 } },
      config: { subgraphs: { all: { retry: { enabled: false } } } },
      dependencies: { timers },
    });
    const { adminUrl } = shop.gateway;
    const { page, problems } = await openInsights(adminUrl);
    const region = (name: string) => page.getByRole('region', { name, exact: true });
    await region('Operations').getByText('No operation was executed yet').waitFor();
    await region('Now').getByText('ten seconds after').waitFor();
    await region('Subgraphs').getByText('no calls').first().waitFor();
    await region('Enrichments').getByText('No enrichment is pending').waitFor();
    await region('Contracts').getByText('The contract guard is off').waitFor();

    // The pending field of the second operation fails, and its job becomes a dead letter.
    await shop.execute('query List { products { name } }');
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const { extensions } = await shop.execute('query Top { top { name advice { text } } }');
    await shop.fetchUpdates(extensions?.tributary?.enrichment?.token);
    timers.fire(10_000);
    const readData = async () => (await fetch(`${adminUrl}/insights/data`)).json() as Promise<{ series: [] }>;
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

    for (const [width, colorScheme] of [
      [390, 'light'],
      [1_280, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    }
    expect(problems).toEqual([]);
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
