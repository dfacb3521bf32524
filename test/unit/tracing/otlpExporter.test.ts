import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ExportResultCode } from '@opentelemetry/core';
import {
  describeExportError,
  OtlpExporter,
  type OtlpExportResult,
} from '../../../gateway/tracing/otlpExporter.ts';
import { closeServer } from '../../harness/closeServer.ts';
import { createCertificate } from '../../harness/createCertificate.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

/** Exports once to a collector with this behaviour. */
async function exportTo(
  respond: RequestListener,
  headers: Readonly<Record<string, string>> = {},
): Promise<OtlpExportResult> {
  const collector = createServer((request, response) => {
    request.resume();
    respond(request, response);
  });
  return exportAt(collector, 'http', headers);
}

async function exportAt(
  collector: Server,
  protocol: 'http' | 'https',
  headers: Readonly<Record<string, string>> = {},
): Promise<OtlpExportResult> {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  const exporter = new OtlpExporter<string>({
    otlp: { endpoint: `${protocol}://127.0.0.1:${port}/`, headers },
    signal: 'metrics',
    serialize: (batch) => Buffer.from(batch),
  });
  const result = await new Promise<OtlpExportResult>((resolve) => exporter.export('batch', resolve));
  await exporter.shutdown();
  await closeServer(collector);
  return result;
}

// A retry after an hour would be later than the end of the export.
test.each([
  [503, { 'retry-after': '3600' }, 'The collector responds with status 503 (Service Unavailable).'],
  [429, { 'retry-after': '3600' }, 'The collector responds with status 429 (Too Many Requests).'],
  [401, {}, 'The collector responds with status 401 (Unauthorized).'],
  [499, {}, 'The collector responds with status 499 (unknown).'],
])(
  'An export that the collector refuses with %i has the status in its error',
  async (status, headers, message) => {
    const { code, error } = await exportTo((_, response) => response.writeHead(status, '', headers).end());
    expect([code, error?.message]).toEqual([ExportResultCode.FAILED, message]);
  },
);

test('An export whose connection is closed has the error of the connection, and one that succeeds has none', async () => {
  const lost = await exportTo(({ socket }, response) => {
    response.writeHead(400, { 'content-length': '10' }).write('1', () => socket.destroy());
  });
  expect([lost.code, lost.error?.message]).toEqual([ExportResultCode.FAILED, 'aborted']);
  const { code, error } = await exportTo((_, response) => response.end());
  expect([code, error]).toStrictEqual([ExportResultCode.SUCCESS, undefined]);
});

test('A message of the collector has no header of the configuration or of the environment', async () => {
  process.env.OTEL_EXPORTER_OTLP_HEADERS = 'x-key=key-of-all%20signals,x-tenant=a';
  process.env.OTEL_EXPORTER_OTLP_METRICS_HEADERS = 'authorization=Basic%20key-of-metrics';
  const message = 'a: Basic key-of-metrics, key-of-all signals, configured-key';
  const inner = Buffer.from(`\x08\x03\x12${String.fromCharCode(message.length)}${message}`);
  const { partialSuccess } = await exportTo(
    (_, response) => response.end(Buffer.from(`\x0a${String.fromCharCode(inner.length)}${inner}`)),
    { 'x-other': 'configured-key' },
  );
  expect(partialSuccess).toEqual({ rejected: 3, message: 'a: Basic ***, *** signals, ***' });
});

test("A failure of TLS is described with OpenTelemetry's variables, which set the certificates of exports", async () => {
  const authority = createCertificate({ name: 'authority', isAuthority: true });
  const { cert, key } = createCertificate({ name: 'localhost', issuer: authority });
  const describeFailure = async (): Promise<string> => {
    const options = { cert, key, ca: authority.cert, requestCert: true };
    const { error } = await exportAt(createHttpsServer(options), 'https');
    return describeExportError(error as Error);
  };
  expect(await describeFailure()).toBe(
    'self-signed certificate in certificate chain; name its root authority in `OTEL_EXPORTER_OTLP_CERTIFICATE`, or start with NODE_OPTIONS=--use-system-ca if this machine trusts it',
  );
  const file = join(createTemporaryDirectory(), 'authority.pem');
  writeFileSync(file, authority.cert);
  process.env.OTEL_EXPORTER_OTLP_CERTIFICATE = file;
  expect(await describeFailure()).toBe(
    'the server demands a client certificate; set `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`',
  );
});
