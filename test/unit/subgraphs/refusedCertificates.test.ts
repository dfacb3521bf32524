import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeCause, GatewayError } from '../../../gateway/errors.ts';
import { StreamingClient } from '../../../gateway/subgraphs/streamingClient.ts';
import { createGraphqlWsSource } from '../../../gateway/subscriptions/sources/graphqlWsSource.ts';
import { fetchSubgraphSdl } from '../../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import { createCertificate } from '../../harness/createCertificate.ts';
import { createSourceFixture } from '../../harness/sourceFixture.ts';
import { createClientFixture } from './clientFixture.ts';

const authority = createCertificate({ name: 'authority', isAuthority: true });
const { cert, key } = createCertificate({ name: 'localhost', issuer: authority });
const foreign = createCertificate({ name: 'foreign' });
const missing = { ca: authority.cert };
const refused = { ca: authority.cert, cert: foreign.cert, key: foreign.key };

const demanded = 'the server demands a client certificate; set `tls.cert`';
const hint = 'the server may have refused the client certificate (`tls.cert`)';

describe.each(['HTTP/1.1', 'HTTP/2'])('over %s', (protocol) => {
  const http2 = protocol === 'HTTP/2';
  const sockets = new Set<Socket>();
  const options = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  const server = http2 ? createSecureServer(options) : createServer(options);
  let url: string;
  beforeAll(async () => {
    server.on('connection', (socket: Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/graphql`;
  });
  afterAll(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  });

  test.each([
    ['without a client certificate', missing, demanded],
    ['with one of another authority', refused, hint],
  ])('a call and a stream %s fail with what to do', async (_, tls, problem) => {
    await using fixture = createClientFixture(url, { at: { http2, tls } });
    const call = await fixture.send({ kind: 'mutation' }).outcome;
    const client = new StreamingClient();
    const stream = await new Promise((resolve) => {
      client.open(
        { url, http2, tls, connectTimeoutMs: 60_000 },
        { subgraph: 'reviews', headers: [], body: '{}' },
        {
          onHead: () => ({ kind: 'chunks' }),
          onChunk: () => {},
          onBody: () => {},
          onEnd: () => resolve('ended'),
          onFailure: resolve,
        },
      );
    });
    for (const failure of [call, stream]) {
      expect(failure).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
      expect(failure instanceof GatewayError && describeCause(failure)).toContain(problem);
    }
    await client.close();
  });

  if (http2) return;

  test.each([
    ['without a client certificate', missing, demanded],
    ['with one of another authority', refused, hint],
  ])('a WebSocket and the fetch of a schema %s fail with what to do', async (_, tls, problem) => {
    await using at = createSourceFixture(createGraphqlWsSource, url, { tls });
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
    expect(receiver.error && describeCause(receiver.error)).toContain(problem);
    const { signal } = new AbortController();
    const fetched = fetchSubgraphSdl({ name: 'reviews', url }, signal, { tls });
    await expect(fetched).rejects.toThrow(problem);
  });
});
