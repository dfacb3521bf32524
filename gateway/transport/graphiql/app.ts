// Runs in the browser: bundled by `bundle.ts`, never imported by the gateway.
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
if (root === null) throw new Error('The page has no element for GraphiQL.');
const socketUrl = new URL(location.pathname, location.href);
socketUrl.protocol = location.protocol.replace('http', 'ws');
const fetcher = createGraphiQLFetcher({ url: location.pathname, subscriptionUrl: socketUrl.href });
// A link may bring an operation along.
const query = new URLSearchParams(location.search).get('query');
createRoot(root).render(
  createElement(GraphiQL, { fetcher, ...(query === null ? {} : { initialQuery: query }) }),
);
