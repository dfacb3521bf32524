import { describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import type { ExecutionOutcome } from '../../../gateway/response/executionOutcome.ts';
import { ScriptedEvents, singleOutcome, startScriptedServer } from '../../harness/scriptedServer.ts';
import { graphiqlDirectory, openPage, startOtherSite } from './pages.ts';

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
