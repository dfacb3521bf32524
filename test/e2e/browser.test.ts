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
import { browserStartTimeoutMs, startBrowser, type TestBrowser } from '../harness/browser.ts';
import { ScriptedEvents, singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';

let browser: TestBrowser | undefined;
let graphiqlDirectory: string;

beforeAll(async () => {
  graphiqlDirectory = await mkdtemp(join(tmpdir(), 'graphiql-'));
  [browser] = await Promise.all([startBrowser(), bundleGraphiql(graphiqlDirectory)]);
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

/** A page of another origin. */
async function startOtherSite(): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>Other site</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
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
