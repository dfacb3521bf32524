import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../../gateway/config/schema.ts';
import { createHttpSubgraphClient } from '../../../gateway/subgraphs/httpSubgraphClient.ts';
import { createSchemaAccess, readSchemaAccess } from '../../../gateway/subgraphs/schemaAccess.ts';
import { createSubgraphEndpoints } from '../../../gateway/subgraphs/subgraphEndpoints.ts';
import { fetchSubgraphSdl } from '../../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { Certificates } from '../../../gateway/tls/certificates.ts';
import { createCertificate } from '../../harness/createCertificate.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { json, type ScriptedSubgraph, startScriptedSubgraph } from '../../harness/scriptedSubgraph.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';
import { sendRequest } from './clientFixture.ts';

const authority = createCertificate({ name: 'authority', isAuthority: true });
const server = createCertificate({ name: 'localhost', issuer: authority });
const own = createCertificate({ name: 'gateway', issuer: authority });
const foreign = createCertificate({ name: 'foreign' });
const { signal } = new AbortController();

let directory: string;
/** Demands a certificate of the authority. */
let reviews: ScriptedSubgraph;
const files = { ca: '', cert: '', key: '' };

beforeAll(async () => {
  directory = createTemporaryDirectory();
  for (const kind of ['ca', 'cert', 'key'] as const) files[kind] = join(directory, `${kind}.pem`);
  reviews = await startScriptedSubgraph({
    cert: server.cert,
    key: server.key,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  });
  reviews.setDefaultScript(json({ data: { _service: { sdl: 'type Query { a: Int }' } } }));
});
afterAll(async () => {
  await reviews.close();
});

async function write(contents: Readonly<Partial<typeof files>>): Promise<void> {
  for (const [kind, text] of Object.entries(contents)) {
    const file = files[kind as keyof typeof files];
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  }
}

function configWith(subgraphs: NonNullable<GatewayOptions['subgraphs']>) {
  const source = { subgraphs: [{ name: 'reviews', url: reviews.url, headers: { 'x-source': 'b' } }] };
  const security = { jwt: { issuers: [{ jwks: 'https://login.test/jwks.json' }] } };
  return parseConfig({ supergraph: source, subgraphs, security });
}

const silentLog = { info: () => {}, warn: () => {}, error: () => {} };

test('every unusable file is a problem of the configuration, with the path of its option', async () => {
  await write({ ca: authority.cert, cert: own.cert, key: foreign.key });
  const config = configWith({
    all: { tls: files },
    reviews: { tls: { ca: join(directory, 'none.pem'), cert: '', key: '' } },
  });
  await expect(Certificates.read(config, { log: silentLog })).rejects.toMatchObject({
    problems: [
      {
        path: 'subgraphs.all.tls.key',
        message: `cannot be used: The key file ${files.key} does not match the first certificate in ${files.cert}`,
        expected: '',
      },
      {
        path: 'subgraphs.reviews.tls.ca',
        message: `cannot be used: The file of certificate authorities ${join(directory, 'none.pem')} does not exist`,
        expected: '',
      },
    ],
  });
});

test('subgraphs without files have no options of TLS, and nothing is watched', async () => {
  const config = configWith({ reviews: { tls: { ca: '' } } });
  const certificates = await Certificates.read(config, { log: silentLog });
  expect([certificates.ofSubgraph('reviews'), certificates.ofSubgraph('other')]).toStrictEqual([
    undefined,
    undefined,
  ]);
  await certificates.close();
});

test('a command fetches a schema with certificate, headers and signature, but sends headers to known origins only', async () => {
  await write({ ca: authority.cert, cert: own.cert, key: own.key });
  const accessOf = await readSchemaAccess(
    configWith({
      all: { tls: files },
      reviews: {
        headers: {
          rules: [
            { set: 'x-key', value: 'a' },
            { set: 'x-user', claim: 'sub' },
          ],
        },
        signing: { secret: 'secret' },
      },
    }),
  );
  const address = { name: 'reviews', url: reviews.url };
  expect(await fetchSubgraphSdl(address, signal, accessOf(address))).toBe('type Query { a: Int }');
  const headers = reviews.requests.at(-1)?.headers;
  expect(['x-key', 'x-source', 'x-user'].map((name) => headers?.get(name))).toStrictEqual([
    'a',
    'b',
    undefined,
  ]);
  expect(headers?.get('x-tributary-signature')).toMatch(/^sha256=[0-9a-f]{64}$/);
  expect(accessOf({ name: 'reviews', url: 'https://elsewhere.example/graphql' })).toEqual({
    tls: { ca: authority.cert, cert: own.cert, key: own.key },
    proxyEnv: process.env,
  });
});

test('new connections use changed certificate files, for operations and for schemas', async () => {
  // The subgraph does not trust this certificate.
  await write({ ca: authority.cert, cert: foreign.cert, key: foreign.key });
  const config = configWith({ all: { tls: files, retry: { enabled: false } } });
  const timers = new FakeTimers();
  const changed = Promise.withResolvers<void>();
  const certificates = await Certificates.read(config, {
    timers,
    settleMs: 5,
    log: { ...silentLog, info: () => changed.resolve() },
  });
  const accessOf = createSchemaAccess(config, certificates);
  const endpointOf = createSubgraphEndpoints(
    config,
    {
      onChange: (listener) => {
        listener({
          subgraphs: new Map([['reviews', { name: 'reviews', url: reviews.url }]]),
        } as unknown as Supergraph);
        return () => {};
      },
    },
    certificates,
    silentLog,
  );
  const client = createHttpSubgraphClient({ endpointOf, sharesInFlightCalls: false });
  const send = () =>
    sendRequest(client, {
      subgraph: 'reviews',
      body: '{}',
      kind: 'mutation',
      headers: { key: '', pairs: [] },
      sharingKey: '',
      isDeferred: false,
      priority: 'primary',
      requestId: 'r1',
      deadline: Number.POSITIVE_INFINITY,
    }).outcome;
  const address = { name: 'reviews', url: reviews.url };
  try {
    expect(await send()).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
    await expect(fetchSubgraphSdl(address, signal, accessOf(address))).rejects.toThrow(
      /alert|ECONNRESET|hang up/,
    );

    await write({ cert: own.cert, key: own.key });
    timers.fire(2_000);
    await timers.waitForTimer(5);
    timers.fire(5);
    await changed.promise;
    expect(await send()).toMatchObject({ data: { _service: {} } });
    expect(await fetchSubgraphSdl(address, signal, accessOf(address))).toBe('type Query { a: Int }');
  } finally {
    await client.close();
    await certificates.close();
  }
});
