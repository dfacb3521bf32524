import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createBrowserPage } from '../../gateway/transport/graphiql/graphiqlFiles.ts';
import { ensureGraphiql } from '../../scripts/bundles.ts';
import { exchange } from '../harness/rawHttp.ts';
import { startScriptedServer } from '../harness/scriptedServer.ts';

const browser = {
  method: 'GET',
  headers: { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' },
};

/** The first bundling on a machine takes some seconds. */
const bundlingTimeoutMs = 120_000;

let directory: string;

beforeAll(async () => {
  directory = await ensureGraphiql();
}, bundlingTimeoutMs);

describe('GraphiQL', () => {
  test('is served to a browser with every file that its page loads', async () => {
    await using server = await startScriptedServer(undefined, { graphiqlDirectory: directory });
    const page = await exchange(server.url, browser);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toMatch(
      /script-src 'self';.*; frame-ancestors 'none'$/,
    );
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    const files = Array.from(
      page.body.matchAll(/(?:src|href)="(\.\/[^"]+)"/g),
      ([, path = '']) => new URL(path, server.url).pathname,
    );
    const served = await Promise.all(
      files.map(async (path) => {
        const { status, headers } = await exchange(server.url, { method: 'GET', path });
        return [path, status, headers.get('content-type')];
      }),
    );
    expect(served).toEqual([
      ['/graphiql/style.css', 200, 'text/css; charset=utf-8'],
      ['/graphiql/app.css', 200, 'text/css; charset=utf-8'],
      ['/graphiql/app.js', 200, 'text/javascript; charset=utf-8'],
    ]);
  });

  test('has a HEAD with the headers of its GET', async () => {
    await using server = await startScriptedServer(undefined, { graphiqlDirectory: directory });
    const [get, head] = await Promise.all(
      ['GET', 'HEAD'].map((method) => fetch(server.url, { ...browser, method })),
    );
    // fetch closes the connection of a HEAD.
    const ofTheExchange = ['connection', 'date', 'keep-alive', 'x-request-id'];
    const headersOf = (response: Response | undefined) =>
      [...(response?.headers ?? [])].filter(([name]) => !ofTheExchange.includes(name));
    expect([head?.status, await head?.text(), headersOf(head)]).toEqual([200, '', headersOf(get)]);
    expect((await fetch(server.url, { method: 'HEAD' })).status).toBe(405);
  });

  test('finds its files from a GraphQL route with several segments', () => {
    expect(createBrowserPage(directory, '/api/v1/graphql').html).toContain('src="../../graphiql/app.js"');
  });

  test('is compressed, with its page and its files', async () => {
    await using server = await startScriptedServer(undefined, {
      graphiqlDirectory: directory,
      listen: { compression: { enabled: true, minSize: 500, subscriptions: false, crossOrigin: false } },
    });
    const { origin } = new URL(server.url);
    const headers = { ...browser.headers, 'accept-encoding': 'br' };
    for (const [url, end] of [
      [server.url, '</html>\n'],
      [`${origin}/graphiql/app.js`, ''],
    ] as const) {
      const response = await fetch(url, { headers });
      expect(response.headers.get('content-encoding')).toBe('br');
      const text = await response.text();
      expect([text.length > 500, text.endsWith(end)]).toEqual([true, true]);
      expect(Number(response.headers.get('content-length'))).toBeLessThan(text.length);
    }
  });

  test.each(['/graphiql/none.js', '/graphiql/..%2f..%2fpackage.js', '/graphiql/'])(
    'serves nothing at %s',
    async (path) => {
      await using server = await startScriptedServer(undefined, { graphiqlDirectory: directory });
      expect((await exchange(server.url, { method: 'GET', path })).status).toBe(404);
    },
  );

  test('is not served when security.graphiql is off', async () => {
    await using server = await startScriptedServer();
    expect((await exchange(server.url, browser)).status).toBe(400);
    expect((await exchange(server.url, { method: 'GET', path: '/graphiql/app.js' })).status).toBe(404);
  });

  test('says on its page and in the log that its bundle is missing, and operations still work', async () => {
    const graphiqlDirectory = join(directory, 'none');
    await using server = await startScriptedServer(undefined, { graphiqlDirectory });
    const page = await exchange(server.url, browser);
    expect([page.status, page.headers.get('content-type')]).toEqual([503, 'text/html; charset=utf-8']);
    expect(page.body).toContain('<h1>GraphiQL is not built</h1>');
    expect(page.headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    expect(server.logLines).toEqual([
      'GraphiQL is turned on (security.graphiql) but its bundle is missing: run npm run build',
    ]);
    expect((await exchange(server.url, { method: 'GET', path: '/graphiql/app.js' })).status).toBe(404);
    const headers = { 'content-type': 'application/json' };
    expect((await exchange(server.url, { headers, body: '{"query":"{ greeting }"}' })).status).toBe(200);
  });

  test('is not served to a GET request of another client', async () => {
    await using server = await startScriptedServer(undefined, { graphiqlDirectory: directory });
    const path = `/graphql?${new URLSearchParams({ query: '{ greeting }' })}`;
    const headers = { accept: '*/*', 'apollo-require-preflight': '1' };
    expect((await exchange(server.url, { method: 'GET', path, headers })).body).toBe(
      '{"data":{"greeting":"hello"}}',
    );
  });
});
