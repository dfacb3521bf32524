import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../gateway/errors.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { exchange, RawConnection, type RawRequest } from '../harness/rawHttp.ts';
import { ScriptedEvents, singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';

function postRequest(
  query: string,
  accept = 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0',
): RawRequest {
  return { headers: { 'content-type': 'application/json', accept }, body: JSON.stringify({ query }) };
}

const subscription = postRequest('subscription { greetings }');

function part(content: unknown): string {
  return `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(content)}\r\n--graphql`;
}

const opening = `\r\n--graphql${part({})}`;
const closing = '--\r\n';

describe("a subscription in Apollo's multipart protocol", () => {
  test('a multipart subscription starts at once, and sends each event together with the next delimiter', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    await using connection = await RawConnection.open(server.url);
    connection.send(subscription);
    const { status, headers } = await connection.readHead();
    expect([status, headers.get('content-type')]).toEqual([
      200,
      'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0',
    ]);
    expect(await connection.readChunk()).toBe(opening);
    for (const greetings of ['one', 'two']) {
      scripted.push({ data: { greetings } });
      expect(await connection.readChunk()).toBe(part({ payload: { data: { greetings } } }));
    }
    scripted.push('end');
    expect(await connection.readChunk()).toBe(closing);
    expect(await connection.readChunk()).toBeUndefined();
  });

  test('a multipart subscription sends an empty part one heartbeat interval after the last part', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      timers,
      heartbeatIntervalMs: 1000,
    });
    await using connection = await RawConnection.open(server.url);
    connection.send(subscription);
    await connection.readHead();
    await connection.readChunk();
    timers.advance(1000);
    expect(await connection.readChunk()).toBe(part({}));
    scripted.push('end');
    expect(await connection.readChunk()).toBe(closing);
  });

  test('a multipart subscription resumes after the cursor in last-event-id', async () => {
    const scripted = new ScriptedEvents();
    scripted.push('end');
    await using server = await startScriptedServer(() => scripted.outcome);
    await exchange(server.url, {
      ...subscription,
      headers: { ...subscription.headers, 'last-event-id': '6-0' },
    });
    expect(server.receivedOperations[0]?.resumeAfter).toBe('6-0');
  });

  test('a multipart subscription ends with the error that ended its events', async () => {
    const scripted = new ScriptedEvents();
    scripted.push(new GatewayError('SUBGRAPH_UNREACHABLE', 'Gone.'));
    await using server = await startScriptedServer(() => scripted.outcome);
    const errors = [{ message: 'Gone.', extensions: { code: 'SUBGRAPH_UNREACHABLE' } }];
    expect((await exchange(server.url, subscription)).body).toBe(
      opening + part({ payload: null, errors }) + closing,
    );
  });

  test('a multipart subscription ends with an error and the closing delimiter when the server shuts down', async () => {
    const scripted = new ScriptedEvents();
    const server = await startScriptedServer(() => scripted.outcome, { drainTimeout: 60_000 });
    await using connection = await RawConnection.open(server.url);
    connection.send(subscription);
    await connection.readHead();
    await connection.readChunk();
    await server.close();
    const errors = [{ message: 'The gateway is shutting down.', extensions: { code: 'SHUTTING_DOWN' } }];
    expect(await connection.readChunk()).toBe(part({ payload: null, errors }) + closing);
    await scripted.returned;
  });

  test('a query is answered with one multipart payload when the client accepts nothing else', async () => {
    await using server = await startScriptedServer(() => singleOutcome('{"greeting":"hello"}'));
    expect((await exchange(server.url, postRequest('{ greeting }'))).body).toBe(
      `\r\n--graphql${part({ payload: { data: { greeting: 'hello' } } })}${closing}`,
    );
  });
});
