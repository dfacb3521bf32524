import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { decodeProtectedHeader } from 'jose';
import {
  KeysUnavailableError,
  RemoteKeySet,
} from '../../../gateway/admission/authentication/remoteKeySet.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { startTokenIssuer, type TokenIssuer } from '../../harness/tokenIssuer.ts';
import { waitUntil } from '../../harness/waitUntil.ts';

let issuer: TokenIssuer;
let timers: FakeTimers;
let logged: unknown[];
let keySet: RemoteKeySet;

beforeEach(async () => {
  issuer = await startTokenIssuer();
  timers = new FakeTimers();
  logged = [];
  keySet = new RemoteKeySet({
    url: `${issuer.jwks}?tenant=secret`,
    headers: { 'x-key': 'k' },
    refreshIntervalMs: 600_000,
    timers,
    log: {
      info: (_: unknown, message?: string) => logged.push(message),
      warn: (fields: unknown, message?: string) => logged.push({ ...(fields as object), message }),
    } as never,
  });
});

afterEach(async () => {
  keySet.stop();
  await issuer[Symbol.asyncDispose]();
});

/** `found`, or the name of the error, for a token with this key. */
async function find(kid = issuer.key.kid): Promise<string> {
  const token = await issuer.sign({}, { kid });
  try {
    await keySet.keyOf(decodeProtectedHeader(token) as { alg: string }, {} as never);
    return 'found';
  } catch (error) {
    return (error as Error).name;
  }
}

/** Until no fetch is under way: the next one has a timer then. */
const waitForFetch = () => waitUntil(() => timers.pendingCount === 1);

const fail = (status = 500) =>
  issuer.answerWith((response) => {
    response.statusCode = status;
    response.end();
  });

test('Keys are fetched once for all tokens that need them, with the configured headers', async () => {
  expect(await Promise.all([find(), find(), find()])).toEqual(['found', 'found', 'found']);
  expect(issuer.requests).toEqual([
    expect.objectContaining({ 'x-key': 'k', 'user-agent': 'tributary', accept: expect.any(String) }),
  ]);
});

test('Keys are fetched again at each interval, and the version changes only with the keys', async () => {
  keySet.start();
  await find();
  const { version } = keySet;
  timers.advance(600_000);
  await waitForFetch();
  expect([issuer.requests.length, keySet.version]).toEqual([2, version]);
  const retired = issuer.key.kid;
  await issuer.rotate();
  timers.advance(600_000);
  await waitForFetch();
  expect(issuer.requests).toHaveLength(3);
  expect(keySet.version).not.toBe(version);
  expect([await find(), await find(retired)]).toEqual(['found', 'JWKSNoMatchingKey']);
});

describe('A token with an unknown key', () => {
  test('is accepted if its key was published right after the keys were fetched', async () => {
    await find();
    await issuer.rotate();
    expect(await Promise.all([find(), find(), find('forged')])).toEqual([
      'found',
      'found',
      'JWKSNoMatchingKey',
    ]);
    expect(issuer.requests).toHaveLength(2);
  });

  test('makes the keys be fetched again after 0, 1, 2, 4, 8, 16 and then every 30 seconds, until the keys change', async () => {
    await find();
    for (const second of [0, 1, 2, 4, 8, 16, 30, 30]) {
      const before = issuer.requests.length;
      timers.advance(Math.max(0, second * 1_000 - 1));
      if (second > 0) await find('forged');
      expect(issuer.requests).toHaveLength(before);
      timers.advance(1);
      const forged = Array.from({ length: 100 }, (_, at) => find(`forged ${at}`));
      expect(new Set(await Promise.all(forged))).toEqual(new Set(['JWKSNoMatchingKey']));
      expect(issuer.requests).toHaveLength(before + 1);
    }
    timers.advance(30_000);
    await issuer.rotate();
    expect(await find()).toBe('found');
    await issuer.rotate();
    expect(await find()).toBe('found');
  });

  test('makes the keys be fetched at once again after the interval', async () => {
    await find();
    for (const ms of [0, 1_000, 2_000]) {
      timers.advance(ms);
      await find('forged');
    }
    timers.advance(600_000);
    await waitForFetch();
    await issuer.rotate();
    expect(await find()).toBe('found');
  });
});

describe('While the endpoint fails', () => {
  test('the last keys stay in use, one warning is logged, and attempts have growing distances', async () => {
    await find();
    fail();
    timers.advance(600_000);
    expect(await find('unknown')).toBe('JWKSNoMatchingKey');
    for (let attempt = 0; attempt < 3; attempt += 1) {
      timers.advance(30_000);
      expect([await find('unknown'), await find()]).toEqual(['JWKSNoMatchingKey', 'found']);
    }
    expect(issuer.requests).toHaveLength(5);
    expect(keySet.failureCount).toBe(4);
    expect(logged).toEqual([
      {
        jwks: `${issuer.jwks}?tenant=***`,
        problem: 'The endpoint responded with status 500 instead of 200.',
        hasKeys: true,
        message: expect.stringContaining('cannot be fetched'),
      },
    ]);
    issuer.answerWith(undefined);
    timers.advance(30_000);
    await find('unknown');
    expect(logged.at(-1)).toBe('The keys of an issuer of tokens can be fetched again');
    const { length } = issuer.requests;
    timers.advance(599_999);
    await find();
    expect(issuer.requests).toHaveLength(length);
    timers.advance(1);
    await waitForFetch();
    expect(issuer.requests).toHaveLength(length + 1);
    expect(logged).toHaveLength(2);
  });

  test.each<[string, unknown[]]>([
    ['no keys', []],
    ['only keys of an unknown type', [{ kty: 'XYZ', kid: 'a' }]],
    ['only keys for encryption', [{ kty: 'RSA', use: 'enc', kid: 'a' }]],
  ])('a set with %s does not replace the last keys', async (_, keys) => {
    await find();
    const { version } = keySet;
    issuer.answerWith((response) => response.end(JSON.stringify({ keys })));
    timers.advance(600_000);
    expect([await find('unknown'), await find(), keySet.version]).toEqual([
      'JWKSNoMatchingKey',
      'found',
      version,
    ]);
    expect(logged).toEqual([
      expect.objectContaining({ problem: 'The response has no key to verify tokens with.', hasKeys: true }),
    ]);
  });

  test.each<[string, () => void]>([
    ['is down', () => issuer.answerWith((response) => response.destroy())],
    ['redirects', () => fail(302)],
    ['sends no JSON', () => issuer.answerWith((response) => response.end('<html>'))],
    ['sends no key set', () => issuer.answerWith((response) => response.end('{"keys":[1]}'))],
    ['sends a set without keys', () => issuer.answerWith((response) => response.end('{"keys":[]}'))],
  ])('tokens find no key at all if it %s from the start', async (_, breakEndpoint) => {
    breakEndpoint();
    expect(await find()).toBe(new KeysUnavailableError().name);
    // Further tokens do not wait, and do not call the endpoint.
    expect(await Promise.all([find(), find()])).toEqual(Array(2).fill('KeysUnavailableError'));
    expect(issuer.requests).toHaveLength(1);
    issuer.answerWith(undefined);
    timers.advance(1_000);
    expect(await find()).toBe('found');
  });
});

describe('A response with keys', () => {
  const mebibyte = 1024 ** 2;

  /** The keys as JSON of `size` bytes. */
  const paddedKeys = (size: number) => JSON.stringify({ keys: [issuer.key.jwk] }).padEnd(size);

  test('is read up to 1 MiB', async () => {
    issuer.answerWith((response) => response.end(paddedKeys(mebibyte)));
    expect(await find()).toBe('found');
  });

  test.each<[string, (body: string) => string | Buffer, Record<string, string>]>([
    ['as sent', (body) => body, {}],
    ['after decompression', (body) => gzipSync(body), { 'content-encoding': 'gzip' }],
  ])('is refused, with the reason in the log, if it is larger %s', async (_, encode, headers) => {
    issuer.answerWith((response) => response.writeHead(200, headers).end(encode(paddedKeys(mebibyte + 1))));
    expect(await find()).toBe('KeysUnavailableError');
    expect(logged).toEqual([
      expect.objectContaining({
        problem: 'The response with the keys is larger than 1048576 bytes, the maximum.',
      }),
    ]);
  });

  test('that never ends is not read to its end', async () => {
    const closed = Promise.withResolvers<void>();
    issuer.answerWith((response) => {
      response.on('close', closed.resolve);
      const chunk = Buffer.alloc(64 * 1024, ' ');
      const write = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', write);
      write();
    });
    expect(await find()).toBe('KeysUnavailableError');
    await closed.promise;
  });
});

test('A key set that is stopped fetches nothing any more', async () => {
  keySet.start();
  await find();
  keySet.stop();
  timers.advance(6_000_000);
  expect([timers.pendingCount, issuer.requests.length]).toEqual([0, 1]);
});

test('A key set has one timer, however often tokens make it fetch its keys', async () => {
  keySet.start();
  for (let count = 0; count < 3; count += 1) {
    await find();
    timers.advance(30_000);
    await find('unknown');
    expect(timers.pendingCount).toBe(1);
  }
  expect(issuer.requests).toHaveLength(4);
});

test('A key set that is stopped while it fetches its keys sets no timer and logs nothing', async () => {
  fail();
  const found = find();
  keySet.stop();
  expect([await found, timers.pendingCount, logged]).toEqual(['KeysUnavailableError', 0, []]);
});

test('A key set that is stopped aborts its request', async () => {
  jest.spyOn(AbortSignal, 'timeout').mockReturnValue(new AbortController().signal);
  const [requested, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  issuer.answerWith((response) => {
    response.once('close', () => closed.resolve());
    requested.resolve();
  });
  const found = find();
  await requested.promise;
  keySet.stop();
  await closed.promise;
  expect([await found, logged]).toEqual(['KeysUnavailableError', []]);
});
