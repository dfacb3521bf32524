import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Changes } from './changes.ts';
import { closeServer } from './closeServer.ts';
import { decodeMetrics, decodeTraces, type ExportedPoint, type ExportedSpan } from './decodeOtlp.ts';

export interface OtlpCollector extends AsyncDisposable {
  /** For `telemetry.otlp.endpoint`. */
  readonly endpoint: string;
  /** All spans that the collector has taken. */
  readonly spans: readonly ExportedSpan[];
  /** All points of metrics that the collector has taken. */
  readonly points: readonly ExportedPoint[];
  /** The headers of each request. */
  readonly requests: readonly IncomingHttpHeaders[];
  /** The body of each request. */
  readonly bodies: readonly Buffer[];
  /** Handles further requests; `undefined`: takes what they have. */
  handleWith(handle: ((response: ServerResponse) => void) | undefined): void;
  /** Resolves when this many requests have arrived. */
  waitForRequests(count: number): Promise<void>;
}

/** A collector of OpenTelemetry: a server that takes traces and metrics as OTLP over HTTP, in protobuf. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: ExportedSpan[] = [];
  const points: ExportedPoint[] = [];
  const requests: IncomingHttpHeaders[] = [];
  const bodies: Buffer[] = [];
  const arrivals = new Changes();
  let handle: ((response: ServerResponse) => void) | undefined;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const isKnown = request.method === 'POST' && /^\/v1\/(traces|metrics)$/.test(request.url ?? '');
    if (!isKnown || request.headers['content-type'] !== 'application/x-protobuf') {
      response.writeHead(404).end();
      return;
    }
    const body = Buffer.concat(chunks);
    requests.push(request.headers);
    bodies.push(body);
    if (handle === undefined) {
      if (request.url === '/v1/traces') spans.push(...decodeTraces(body));
      else points.push(...decodeMetrics(body));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    } else handle(response);
    arrivals.notify();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    points,
    requests,
    bodies,
    handleWith: (next) => {
      handle = next;
    },
    waitForRequests: (count) => arrivals.until(() => requests.length >= count),
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}
