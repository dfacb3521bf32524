import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll } from '@jest/globals';
import type { Page } from 'playwright-core';
import { ensureGraphiql, ensureInsightsPage } from '../../../scripts/bundles.ts';
import { browserStartTimeoutMs, startBrowser, type TestBrowser } from '../../harness/browser.ts';
import { closeServer } from '../../harness/closeServer.ts';

let browser: TestBrowser | undefined;
/** Set before the first test. */
export let graphiqlDirectory: string;

beforeAll(async () => {
  [browser, graphiqlDirectory] = await Promise.all([startBrowser(), ensureGraphiql(), ensureInsightsPage()]);
}, browserStartTimeoutMs);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
});

export function newPage(): Promise<Page> {
  return (browser as TestBrowser).context.newPage();
}

export async function openPage(url: string): Promise<Page> {
  const page = await newPage();
  await page.goto(url);
  return page;
}

/** Opens a page and collects what its console shows, and requests to other hosts. */
export async function openQuietly(
  url: string,
  origin: string,
): Promise<{ page: Page; problems: readonly string[] }> {
  const page = await newPage();
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

/** A page of another origin. Pages of the host 127.0.0.1 share the cookies of the gateway. */
export async function startOtherSite(host = 'localhost'): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>Other site</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}
