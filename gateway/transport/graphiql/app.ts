// Runs in the browser. `bundle.ts` bundles this file; the gateway never imports it.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const workers: Readonly<Record<string, string>> = { graphql: 'graphql.worker.js', json: 'json.worker.js' };

Object.assign(globalThis, {
  MonacoEnvironment: {
    getWorker: (_: string, label: string) =>
      new Worker(new URL(workers[label] ?? 'editor.worker.js', import.meta.url), { type: 'module' }),
  },
});

const root = document.getElementById('graphiql');
if (root === null) throw new Error('The page has no element with the id graphiql.');
const socketUrl = new URL(location.pathname, location.href);
socketUrl.protocol = location.protocol.replace('http', 'ws');
const fetcher = createGraphiQLFetcher({ url: location.pathname, subscriptionUrl: socketUrl.href });
// The operation in the URL of a link.
const query = new URLSearchParams(location.search).get('query');
createRoot(root).render(
  createElement(GraphiQL, { fetcher, ...(query === null ? {} : { initialQuery: query }) }),
);
