import { describe, expect, test } from '@jest/globals';
import { FetchSpan } from '../../../gateway/telemetry/fetchSpan.ts';
import type { SpanAttributes, TraceSpan } from '../../../gateway/telemetry/trace.ts';

function spanOf(id: string) {
  const recorded: { attributes: SpanAttributes; links: string[]; error?: string | undefined } = {
    attributes: {},
    links: [],
  };
  const span: TraceSpan = {
    headers: ['traceparent', id],
    startChild: () => span,
    startLinked: () => undefined,
    addLink: ([, traceparent = '']) => void recorded.links.push(traceparent),
    setAttributes: (attributes) => {
      const defined = Object.entries(attributes).filter(([, value]) => value !== undefined);
      Object.assign(recorded.attributes, Object.fromEntries(defined));
    },
    end: (errorType) => {
      recorded.error = errorType;
    },
  };
  return { fetch: new FetchSpan(span), recorded };
}

describe('The outcome of a fetch', () => {
  const origin = 'https://reviews.internal';
  const report = {
    send: (fetch: FetchSpan) => fetch.onSend(origin),
    join: (fetch: FetchSpan) => fetch.onJoin(undefined),
    retry: (fetch: FetchSpan) => fetch.onRetry(),
    hedge: (fetch: FetchSpan) => fetch.onHedge(),
    stale: (fetch: FetchSpan) => fetch.onStale(),
  };
  type Reports = readonly (keyof typeof report)[];

  test.each<[string, Reports, string | undefined, string | undefined]>([
    ['is cached when nothing was sent', [], undefined, 'cached'],
    ['is sent when a request was', ['send'], undefined, 'sent'],
    ['is sent when only some values joined another fetch', ['send', 'join'], undefined, 'sent'],
    ['is joined when only another fetch sent a request', ['join'], undefined, 'joined'],
    ['is retried when the request was sent again', ['send', 'retry', 'send'], undefined, 'retried'],
    ['is hedged when a second request was sent beside it', ['send', 'hedge', 'send'], undefined, 'hedged'],
    ['is stale when a stale value replaced the response', ['send', 'retry', 'stale'], undefined, 'stale'],
    ['is unknown for a fetch that failed without a request', [], 'CIRCUIT_OPEN', undefined],
  ])('%s', (_, reports, errorType, outcome) => {
    const { fetch, recorded } = spanOf('own');
    for (const name of reports) report[name](fetch);
    fetch.end(errorType);
    expect(recorded.attributes['tributary.outcome']).toBe(outcome);
  });

  test('comes with the server, the attempts, the status and the fetch that was joined', () => {
    const { fetch, recorded } = spanOf('own');
    const leader = spanOf('leader').fetch;
    fetch.onLookup(1, 0, 2);
    fetch.onLookup(0, 1, 0);
    fetch.onSend(origin);
    fetch.onRetry();
    fetch.onSend('http://127.0.0.1:4101');
    fetch.onStatus(undefined);
    fetch.onStatus(503);
    fetch.onJoin(leader);
    fetch.onJoin(fetch);
    fetch.end('SUBGRAPH_UNREACHABLE');
    expect(recorded).toEqual({
      attributes: {
        'server.address': '127.0.0.1',
        'server.port': 4101,
        'http.response.status_code': 503,
        'http.request.resend_count': 1,
        'tributary.outcome': 'retried',
        'tributary.cache.hits': 1,
        'tributary.cache.stale': 1,
        'tributary.cache.misses': 2,
      },
      links: ['leader'],
      error: 'SUBGRAPH_UNREACHABLE',
    });
  });
});
