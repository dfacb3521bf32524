import { addBundledFiles, findBundle, hasBundle } from '../transport/http/bundledFiles.ts';
import type { Routes } from '../transport/http/routes.ts';

/** The directory of the page's bundle. */
export function findInsightsDirectory(): string {
  return findBundle('insights', new URL('./page/bundle/', import.meta.url));
}

/** Adds `GET /insights`, the page, and `GET /insights/:file`, its files. */
export function addInsightsPage(routes: Routes, directory: string): void {
  addBundledFiles(routes, '/insights', directory, contentSecurityPolicy);
  routes.get('/insights', async (_, reply) => {
    const isBuilt = hasBundle(directory);
    return reply
      .code(isBuilt ? 200 : 503)
      .headers({ 'content-security-policy': contentSecurityPolicy, 'cache-control': 'no-cache' })
      .type('text/html; charset=utf-8')
      .send(isBuilt ? page : missingPage);
  });
}

/** Charts set styles of elements by script, which needs no permission. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

// Relative addresses: the listener may be behind a prefix.
const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Insights – Tributary</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="insights/style.css">
  </head>
  <body>
    <div id="app"><p class="notice">Loading the insights…</p></div>
    <noscript><p class="notice">The page needs JavaScript. Its data is at <a href="insights/data">insights/data</a>.</p></noscript>
    <script type="module" src="insights/app.js"></script>
  </body>
</html>
`;

const missingPage = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>The insights page is not built</title>
  </head>
  <body>
    <h1>The insights page is not built</h1>
    <p>Run <code>npm run build</code> in the gateway's repository and start the gateway again.
      The data is at <a href="insights/data">insights/data</a> nevertheless.</p>
  </body>
</html>
`;
