import { describe, expect, test } from '@jest/globals';
import { type ExecutionResult, parse, subscribe } from 'graphql';
import { createMultipartSource } from '../../../../gateway/subscriptions/sources/multipartSource.ts';
import { createSourceFixture, heartbeatMs, type SourceFixture } from '../../../harness/sourceFixture.ts';
import { type StreamUpstream, startStreamUpstream } from './streamUpstream.ts';
import { startTickServer, testSubscription } from './tickServer.ts';

const sourceOf = (url: string): SourceFixture => createSourceFixture(createMultipartSource, url);

/** A subgraph that executes subscriptions and sends them with the multipart protocol. */
const startServer = () =>
  startTickServer('/graphql', (schema) => async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const events = await subscribe({ schema, document: parse(JSON.parse(body).query) });
    if (!(Symbol.asyncIterator in events)) {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(events));
      return;
    }
    response.on('close', () => void events.return?.(undefined));
    response.setHeader('content-type', 'multipart/mixed; boundary="graphql"; subscriptionSpec="1.0"');
    const write = (part: unknown): boolean =>
      response.write(`\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(part)}\r\n--graphql`);
    response.write('\r\n--graphql');
    write({});
    for await (const payload of events as AsyncIterable<ExecutionResult>) write({ payload });
    response.end('--\r\n');
  });

describe('with a GraphQL server', () => {
  testSubscription(startServer, sourceOf);

  test('reports an operation that the subgraph refuses', async () => {
    await using upstream = await startServer();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe({ query: 'subscription { nonsense }' });
    expect((await receiver.waitForLog(1))[0]).toMatch(/^error SUBGRAPH_ERROR .*nonsense/);
  });
});

/** What a receiver gets for these parts. */
async function readParts(
  upstream: StreamUpstream,
  at: SourceFixture,
  count: number,
  ...parts: unknown[]
): Promise<string[]> {
  const { receiver } = at.subscribe();
  const stream = await upstream.next();
  stream.begin('multipart/mixed; boundary=graphql');
  stream.write(
    ['--graphql', ...parts.map((part) => `\r\n\r\n${JSON.stringify(part)}\r\n--graphql`)].join(''),
  );
  return receiver.waitForLog(count);
}

const one = { payload: { data: { tick: 1 } } };

describe('parts', () => {
  test.each([
    [
      'errors of the protocol',
      [one, { payload: null, errors: [{ message: 'lost it' }] }],
      ['{"tick":1}', 'error SUBGRAPH_ERROR [{"message":"lost it"}]'],
    ],
    ['errors that are none', [{ payload: null, errors: 'no' }], ['error SUBGRAPH_INVALID_RESPONSE']],
    ['an empty payload', [one, { payload: null }], ['{"tick":1}', 'complete']],
    ['an empty payload without errors', [{ payload: null, errors: [] }], ['complete']],
    [
      'errors of an event',
      [{ payload: { errors: [{ message: 'no' }] } }, one],
      ['{"errors":[{"message":"no"}]}', '{"tick":1}'],
    ],
    [
      'results that are not wrapped',
      [{ data: { tick: 1 } }, { errors: [{ message: 'no' }] }],
      ['{"tick":1}', '{"errors":[{"message":"no"}]}'],
    ],
    ['heartbeats', [{}, {}, one, {}], ['{"tick":1}']],
    ['what is none of these', [{ hello: 1 }], ['error SUBGRAPH_INVALID_RESPONSE']],
    ['a list', [[]], ['error SUBGRAPH_INVALID_RESPONSE']],
  ])('%s', async (_, parts, expected) => {
    await using upstream = await startStreamUpstream();
    await using at = sourceOf(upstream.url);
    expect(await readParts(upstream, at, expected.length, ...parts)).toEqual(expected);
  });
});

test('a server that never sends heartbeats counts as lost', async () => {
  await using upstream = await startStreamUpstream();
  await using at = sourceOf(upstream.url);
  const { receiver } = at.subscribe();
  const stream = await upstream.next();
  stream.begin('multipart/mixed');
  await receiverAccepted(at);
  at.clock.advance(3 * heartbeatMs);
  expect(receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE']);
});

async function receiverAccepted(at: SourceFixture): Promise<void> {
  while (at.acceptedSubgraphs.length === 0) await new Promise((resolve) => setImmediate(resolve));
}
