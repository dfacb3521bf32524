import { describe, expect, test } from '@jest/globals';
import { startEnrichedShop } from '../harness/enrichedShop.ts';
import { exchange, exchangeJson, RawConnection, type RawResponse } from '../harness/rawHttp.ts';
import { operationRequest, reserveStream } from '../harness/singleConnection.ts';
import { startTestGateway } from '../harness/testGateway.ts';
import { Peer } from '../harness/webSocketPeer.ts';

const query = 'subscription { reviewAdded { body } }';
const identity = { header: 'x-user' };

type Headers = Readonly<Record<string, string>>;

/** Subscribes over one transport; resolves to the code of the rejection. */
type SubscribeRejected = (url: string, headers: Headers, operation: string) => Promise<unknown>;

function codeIn({ body }: Pick<RawResponse, 'body'>): unknown {
  return /"code":"(\w+)"/.exec(body)?.[1];
}

const overHttp =
  (accept: string): SubscribeRejected =>
  async (url, headers, operation) =>
    codeIn(await exchangeJson(url, { query: operation }, { ...headers, accept }));

const overSocket: SubscribeRejected = async (url, headers, operation) => {
  await using peer = await Peer.ready(url, undefined, { headers });
  peer.subscribe(operation);
  return codeIn({ body: JSON.stringify(await peer.next()) });
};

const overSingleConnection: SubscribeRejected = async (url, headers, operation) => {
  const token = await reserveStream(url, headers);
  return codeIn(await exchange(url, operationRequest(token, { query: operation }, '1', headers)));
};

const transports: [string, SubscribeRejected][] = [
  ['server-sent events', overHttp('text/event-stream')],
  ["Apollo's multipart protocol", overHttp('multipart/mixed;subscriptionSpec=1.0')],
  ['a WebSocket', overSocket],
  ['a single connection event stream', overSingleConnection],
];

/** Opens a subscription that stays open. */
async function subscribe(url: string, headers: Headers): Promise<RawConnection> {
  const connection = await RawConnection.open(url);
  connection.send({
    headers: { ...headers, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  await connection.readHead();
  expect(await connection.readChunk()).toBe(':\n\n');
  return connection;
}

describe('a client with subscriptions.perClient open subscriptions', () => {
  test.each(transports)('gets OVERLOADED for another subscription over %s', async (_, subscribeRejected) => {
    await using gateway = await startTestGateway({
      config: {
        security: { identity },
        subgraphs: { all: { subscription: { path: '/ws' } } },
        subscriptions: { perClient: 1 },
      },
    });
    await using _ada = await subscribe(gateway.url, { 'x-user': 'ada' });
    await using _ben = await subscribe(gateway.url, { 'x-user': 'ben' });
    await using _nobody = await subscribe(gateway.url, {});
    expect(await subscribeRejected(gateway.url, { 'x-user': 'ada' }, query)).toBe('OVERLOADED');
    // Without an identity, the client is identified by its address.
    expect(await subscribeRejected(gateway.url, {}, query)).toBe('OVERLOADED');
  });

  test.each(transports)(
    'gets OVERLOADED for an enrichment subscription over %s',
    async (_, subscribeRejected) => {
      await using shop = await startEnrichedShop({ config: { subscriptions: { perClient: 1 } } });
      const gate = shop.advice.hold('Product.advice');
      const { extensions } = await shop.execute('{ products { advice { text } } }');
      const token = String(extensions?.tributary?.enrichment?.token);
      await using follower = await RawConnection.open(shop.gateway.url);
      const path = `/enrichments/${token}`;
      follower.send({ method: 'GET', path, headers: { accept: 'text/event-stream' } });
      await follower.readHead();
      const operation = `subscription { enrichment(token: ${JSON.stringify(token)}) { hasNext } }`;
      expect(await subscribeRejected(shop.gateway.url, {}, operation)).toBe('OVERLOADED');
      const again = await exchange(shop.gateway.url, {
        method: 'GET',
        path,
        headers: { accept: 'text/event-stream' },
      });
      expect([again.status, codeIn(again)]).toEqual([503, 'OVERLOADED']);
      gate.open();
      for (let chunk = await follower.readChunk(); chunk !== undefined; ) chunk = await follower.readChunk();
      expect(await shop.fetchUpdates(token)).toHaveLength(2);
    },
  );
});
