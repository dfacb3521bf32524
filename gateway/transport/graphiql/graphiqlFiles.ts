import type { FastifyInstance } from 'fastify';
import type { TransportLog } from '../../telemetry/logger.ts';
import { addBundledFiles, findBundle, hasBundle } from '../http/bundledFiles.ts';
import type { GraphiqlSettings } from './graphiqlSettings.ts';

/** The directory of the GraphiQL bundle. */
export function findGraphiqlDirectory(): string {
  return findBundle('graphiql', new URL('./page/bundle/', import.meta.url));
}

/** Adds `GET /graphiql/:file`, which serves only files of `directory`. */
export function addGraphiqlRoutes(server: FastifyInstance, directory: string, log: TransportLog): void {
  if (!hasBundle(directory)) {
    log.warn(
      { directory },
      'GraphiQL is turned on (security.graphiql) but its bundle is missing: run npm run build',
    );
  }
  addBundledFiles(server, '/graphiql', directory, contentSecurityPolicy);
}

/** The response to a browser's GET of the GraphQL route. */
export interface BrowserPage {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly html: string;
}

// For browsers without `frame-ancestors`.
const frameHeaders = { 'x-frame-options': 'DENY' };

/** `path`: path of the GraphQL route, from which the page refers to its files: the gateway may be below a prefix. */
export function createBrowserPage(
  directory: string,
  path: string,
  settings: GraphiqlSettings = { tabs: [], canExplain: false },
): BrowserPage {
  if (!hasBundle(directory)) return { status: 503, headers: frameHeaders, html: missingPage };
  const headers = { ...frameHeaders, 'content-security-policy': contentSecurityPolicy };
  const root = '../'.repeat(path.split('/').length - 2);
  return { status: 200, headers, html: createGraphiqlPage(`${root === '' ? './' : root}graphiql`, settings) };
}

/** Of the page, and of the scripts that it starts as workers. The editor adds style elements. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const missingPage = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>GraphiQL is not built</title>
  </head>
  <body>
    <h1>GraphiQL is not built</h1>
    <p>GraphiQL is turned on (<code>security.graphiql</code>), but its files are missing. Run
      <code>npm run build</code> in the gateway's repository and start the gateway again.
      Operations at this address work nevertheless.</p>
  </body>
</html>
`;

/** The page that loads GraphiQL, which sends operations to the page's own URL. */
const createGraphiqlPage = (files: string, settings: GraphiqlSettings) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>GraphiQL</title>
    <link rel="icon" href="data:,">
    <meta name="color-scheme" content="light dark">
    <link rel="stylesheet" href="${files}/style.css">
    <link rel="stylesheet" href="${files}/app.css">
  </head>
  <body>
    <main id="graphiql">Loading GraphiQL…</main>
    <noscript>GraphiQL needs JavaScript. Send operations to this address with POST instead.</noscript>
    <script type="application/json" id="settings">${JSON.stringify(settings).replaceAll('<', '\\u003c')}</script>
    <script type="module" src="${files}/app.js"></script>
  </body>
</html>
`;
