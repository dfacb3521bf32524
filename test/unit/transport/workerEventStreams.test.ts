import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import type { RequestSignal } from '../../../gateway/time/requestAbort.ts';
import { createCertificate } from '../../harness/createCertificate.ts';
import { exchange, RawConnection } from '../../harness/rawHttp.ts';
import { ScriptedEvents, singleOutcome } from '../../harness/scriptedServer.ts';
import {
  completeEvent,
  endingRequest,
  nextEvent,
  openingRequest,
  openStream,
  operationRequest,
  reserveStream,
} from '../../harness/singleConnection.ts';
import { writeCertificate } from '../../harness/temporaryCertificates.ts';
import { query, startFakeWorker, startWorkers, subscription } from './workersFixture.ts';

/** Reads a stream from now on. The returned function waits for this many characters. */
function readEvents(stream: ClientHttp2Stream): (length: number) => Promise<string> {
  let read = '';
  stream.on('data', (part: string) => {
    read += part;
  });
  return async (length) => {
    while (read.length < length) await once(stream, 'data');
    return read;
  };
}

async function reserveStreamOver(session: ClientHttp2Session): Promise<string> {
  return text(session.request({ ':method': 'PUT', ':path': '/graphql' }).end());
}

describe('an event stream that belongs to another worker', () => {
  test('can be opened, used and ended through any worker', async () => {
    const events = new ScriptedEvents();
    await using workers = await startWorkers(({ document }) =>
      document.loc?.source.body === query ? singleOutcome('{"greeting":"hello"}') : events.outcome,
    );
    const { first, second } = workers;
    const token = await reserveStream(first.url);
    expect(token).toMatch(/^[0-9a-f-]{36}\.1$/);
    await using stream = await openStream(second.url, token);
    for (const worker of [first, second]) {
      expect(await exchange(worker.url, operationRequest(token, { query }))).toMatchObject({
        status: 202,
        body: '',
      });
      expect(await stream.readChunk()).toBe(nextEvent({ data: { greeting: 'hello' } }) + completeEvent);
    }
    expect((await exchange(second.url, operationRequest(token, { query: subscription }))).status).toBe(202);
    events.push({ data: { greetings: 'one' } });
    expect(await stream.readChunk()).toBe(nextEvent({ data: { greetings: 'one' } }));
    const again = await exchange(second.url, operationRequest(token, { query: subscription }));
    expect([again.status, again.body]).toEqual([
      409,
      expect.stringContaining('extensions.operationId is running'),
    ]);
    expect((await exchange(second.url, endingRequest(token))).status).toBe(200);
    await events.returned;
    expect([first.receivedOperations.length, second.receivedOperations.length]).toEqual([3, 0]);
  });

  test('is found by the token in the query string', async () => {
    await using workers = await startWorkers();
    const token = await reserveStream(workers.first.url);
    await using stream = await RawConnection.open(workers.second.url);
    stream.send({
      method: 'GET',
      path: `/graphql?token=${token}`,
      headers: { accept: 'text/event-stream' },
    });
    expect((await stream.readHead()).status).toBe(200);
    expect(await stream.readChunk()).toBe(':\n\n');
  });

  test('gets the real address and headers of the client, and ignores forged worker headers', async () => {
    await using workers = await startWorkers();
    const { first, second } = workers;
    const token = await reserveStream(first.url);
    const headers = {
      'x-tributary-client-address': '10.1.1.1',
      'X-Tributary-Drain-Stream': token,
      'x-shop': 'a',
      expect: '100-continue',
      connection: 'keep-alive, x-shop',
    };
    for (const { url } of [first, second, second]) {
      await using connection = await RawConnection.open(url);
      connection.send(operationRequest(token, { query }, '1', headers));
      expect((await connection.readResponse()).status).toBe(100);
      // Sent twice: the stream still exists after the first time.
      expect((await connection.readResponse()).status).toBe(202);
      await exchange(first.url, endingRequest(token));
    }
    const seen = first.receivedOperations.map(({ clientAddress, headers: received }) => [
      clientAddress,
      received.get('x-shop'),
    ]);
    expect(seen).toEqual([
      ['127.0.0.1', 'a'],
      ['127.0.0.1', 'a'],
      ['127.0.0.1', 'a'],
    ]);
    expect(first.receivedOperations[2]?.headers.has('x-tributary-client-address')).toBe(false);
  });

  test('gets the address of the client from a trusted proxy, at any worker', async () => {
    await using workers = await startWorkers(undefined, { listen: { trustedProxies: ['127.0.0.0/8'] } });
    const { first, second } = workers;
    const token = await reserveStream(first.url);
    const headers = { 'x-forwarded-for': '1.1.1.1, 198.51.100.7' };
    for (const { url } of [first, second]) {
      expect((await exchange(url, operationRequest(token, { query }, '1', headers))).status).toBe(202);
      await exchange(first.url, endingRequest(token));
    }
    expect(first.receivedOperations.map(({ clientAddress }) => clientAddress)).toEqual([
      '198.51.100.7',
      '198.51.100.7',
    ]);
  });

  test('can be opened and used over HTTP/2', async () => {
    const certificate = createCertificate({ name: 'gateway' });
    await using certificates = await writeCertificate(certificate);
    await using workers = await startWorkers(() => singleOutcome('{"greeting":"hello"}'), {
      listen: { tls: certificates.files },
    });
    const { first, second } = workers;
    const session1 = connectHttp2(new URL(first.url).origin, { ca: certificate.cert });
    const session2 = connectHttp2(new URL(second.url).origin, { ca: certificate.cert });
    const send = async (session: ClientHttp2Session, method: string, headers: object, body?: string) => {
      const stream = session.request({ ':method': method, ':path': '/graphql', ...headers });
      stream.setEncoding('utf8').end(body);
      const [head] = await once(stream, 'response');
      return { status: head[':status'], stream };
    };
    const token = await text((await send(session1, 'PUT', {})).stream);
    const { headers, body } = operationRequest(token, { query });
    const { status, stream } = await send(session2, 'GET', openingRequest(token).headers ?? {});
    expect(status).toBe(200);
    const events = readEvents(stream);
    const accepted = await send(session2, 'POST', headers ?? {}, String(body));
    expect([accepted.status, await text(accepted.stream)]).toEqual([202, '']);
    const expected = `:\n\n${nextEvent({ data: { greeting: 'hello' } })}${completeEvent}`;
    expect(await events(expected.length)).toBe(expected);
    expect(first.receivedOperations[0]?.headers.get('host')).toBe(new URL(second.url).host);
    for (const session of [session1, session2]) session.destroy();
  });

  test('gets requests over HTTP/2 that HTTP/1.1 cannot have, with the same responses as at its own worker', async () => {
    const certificate = createCertificate({ name: 'gateway' });
    await using certificates = await writeCertificate(certificate);
    await using workers = await startWorkers(undefined, { listen: { tls: certificates.files } });
    const { first, second } = workers;
    const sessions = [first, second].map(({ url }) =>
      connectHttp2(new URL(url).origin, { ca: certificate.cert }),
    );
    const token = await reserveStreamOver(sessions[0] as ClientHttp2Session);
    const respond = async (session: ClientHttp2Session, method: string, path: string) => {
      const stream = session.request({ ':method': method, ':path': path, accept: 'application/json' }).end();
      const [head] = await once(stream, 'response');
      const { date: _, 'x-request-id': _id, ...headers } = { ...head };
      return { headers, body: await text(stream) };
    };
    for (const [method, path, status] of [
      ['BREW', `/graphql?token=${token}`, 405],
      ['GET', `/graphql?token=${token}&name=é`, 400],
    ] as const) {
      const [own, other] = await Promise.all(sessions.map((session) => respond(session, method, path)));
      expect(own?.headers[':status']).toBe(status);
      expect(other).toEqual(own);
    }
    for (const session of sessions) session.destroy();
  });

  test('works with chunked request bodies and with errors sent before the body has arrived', async () => {
    await using workers = await startWorkers(undefined, { limits: { bodySize: 100_000 } });
    const { first, second } = workers;
    const token = await reserveStream(first.url);
    await using connection = await RawConnection.open(second.url);
    const chunked = { 'transfer-encoding': 'chunked' };
    const { headers = {}, body = '' } = operationRequest(token, { query }, '1', chunked);
    connection.send({ headers });
    connection.socket.write(`5\r\n${body.slice(0, 5)}\r\n`);
    connection.socket.write(`${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`);
    expect((await connection.readResponse()).status).toBe(202);
    // Larger than the socket buffers, so that the whole body has to be read.
    const large = 16 * 1024 * 1024;
    connection.send({ headers });
    connection.socket.write(`${large.toString(16)}\r\n${' '.repeat(large)}\r\n0\r\n\r\n`);
    expect((await connection.readResponse()).status).toBe(413);
    connection.send(operationRequest(token, { query: '{ greeting again: greeting }' }));
    expect((await connection.readResponse()).status).toBe(202);
  });

  test('closes the connection of a client that sends very many small chunks after the response', async () => {
    await using workers = await startWorkers();
    await using worker = await startFakeWorker(workers, (_, response) => response.writeHead(415).end());
    await using connection = await RawConnection.open(workers.first.url);
    connection.send({
      headers: { 'transfer-encoding': 'chunked', 'content-type': 'application/json' },
      path: `/graphql?token=${worker.token}`,
    });
    connection.socket.write('1\r\n \r\n');
    expect((await connection.readResponse()).status).toBe(415);
    connection.socket.write('1\r\n \r\n'.repeat(2_000));
    await connection.waitForClose();
  });

  test('ends when its client disconnects from any worker', async () => {
    const events = new ScriptedEvents();
    await using workers = await startWorkers(() => events.outcome);
    const token = await reserveStream(workers.first.url);
    const stream = await openStream(workers.second.url, token);
    expect(
      (await exchange(workers.second.url, operationRequest(token, { query: subscription }))).status,
    ).toBe(202);
    await stream[Symbol.asyncDispose]();
    await events.returned;
    expect((await exchange(workers.second.url, endingRequest(token))).status).toBe(404);
  });

  test('does not start an operation whose client disconnects before the operation is accepted', async () => {
    const started = Promise.withResolvers<RequestSignal>();
    await using workers = await startWorkers(({ signal }) => {
      started.resolve(signal);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    const connection = await RawConnection.open(workers.second.url);
    connection.send(operationRequest(await reserveStream(workers.first.url), { query }));
    const signal = await started.promise;
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', resolve));
    await connection[Symbol.asyncDispose]();
    await aborted;
    expect([workers.first.logLines, workers.second.logLines]).toEqual([[], []]);
  });

  test('pauses operations for a slow client that is connected to another worker', async () => {
    const events = new ScriptedEvents();
    const readTimeout = 50;
    await using workers = await startWorkers(() => events.outcome, {
      bufferSize: 1000,
      readTimeoutMs: readTimeout,
    });
    const token = await reserveStream(workers.first.url);
    await using stream = await openStream(workers.second.url, token);
    stream.socket.pause();
    await exchange(workers.second.url, operationRequest(token, { query: subscription }));
    // Larger than the socket buffers: the test ends only if the sender has to wait and no worker buffers the body.
    const event = { data: { greetings: 'x'.repeat(1024 * 1024) } };
    for (let count = 0; count < 64; count++) events.push(event);
    await events.returned;
    expect(events.pullCount).toBeLessThan(64);
    stream.socket.resume();
    await stream.waitForClose();
  });
});
