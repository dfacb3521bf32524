import { generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, exportSPKI, generateKeyPair, importPKCS8, SignJWT, UnsecuredJWT } from 'jose';
import { RemoteKeySet } from '../../../gateway/admission/authentication/remoteKeySet.ts';
import { TokenVerifier } from '../../../gateway/admission/authentication/tokenVerifier.ts';
import { signatureAlgorithms } from '../../../gateway/config/sections/jwt.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { loopbackCertificate } from '../../harness/loopbackCertificate.ts';
import { startTokenIssuer, type TokenIssuer } from '../../harness/tokenIssuer.ts';

let issuer: TokenIssuer;
let other: TokenIssuer;

beforeAll(async () => {
  issuer = await startTokenIssuer('https://login.test/', 'RS256');
  other = await startTokenIssuer('https://partner.test/');
});

afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const startedAt = 1_800_000_000_000;
const seconds = startedAt / 1_000;

/** A verifier of the tokens of both issuers, on a clock that the test moves. */
function createVerifier(
  options: {
    readonly issuers?: number;
    readonly audiences?: readonly string[];
    readonly requiredClaims?: readonly string[];
  } = {},
) {
  const timers = new FakeTimers();
  const { audiences = [], requiredClaims = [] } = options;
  const issuers = [
    { server: issuer, issuer: 'https://login.test/', audiences, requiredClaims },
    { server: other, issuer: 'https://partner.test/', audiences: [], requiredClaims: [] },
  ].slice(0, options.issuers ?? 2);
  const verifier = new TokenVerifier({
    issuers: issuers.map(({ server, ...rest }) => ({
      ...rest,
      algorithms: signatureAlgorithms,
      keys: new RemoteKeySet({
        url: server.jwks,
        headers: {},
        refreshIntervalMs: 600_000,
        timers,
        log: { info: () => undefined, warn: () => undefined },
      }),
    })),
    clockToleranceMs: 5_000,
    now: () => startedAt + timers.now(),
  });
  return { verifier, timers };
}

/** The claims of a token, or the reason of its refusal. */
async function verify(text: string, options?: Parameters<typeof createVerifier>[0]): Promise<unknown> {
  return outcomeOf(createVerifier(options).verifier, text);
}

async function outcomeOf(verifier: TokenVerifier, text: string): Promise<unknown> {
  try {
    return (await verifier.verify(text)).claims;
  } catch (error) {
    return (error as { reason?: string }).reason ?? error;
  }
}

describe('A token is accepted', () => {
  test('by the keys of the issuer that it names', async () => {
    const tokens = [await issuer.sign({ sub: 'a' }), await other.sign({ sub: 'b' })];
    expect(await Promise.all(tokens.map((token) => verify(token)))).toEqual([
      expect.objectContaining({ iss: 'https://login.test/', sub: 'a' }),
      expect.objectContaining({ iss: 'https://partner.test/', sub: 'b' }),
    ]);
  });

  test('for one of several audiences', async () => {
    const token = await issuer.sign({ aud: ['shop', 'graph'] });
    expect(await verify(token, { audiences: ['graph', 'admin'] })).toMatchObject({ aud: ['shop', 'graph'] });
  });

  test('with all digits of its integers, which are texts beyond 2^53', async () => {
    const exp = seconds + 60;
    const claims = `"iss":"https://login.test/","uid":1234567890123456789,"n":9007199254740991,"exp":${exp}`;
    expect(
      await verify(await issuer.signText(`{${claims},"nested":[{"id":-9007199254740993}],"x":0.1}`)),
    ).toEqual({
      iss: 'https://login.test/',
      uid: '1234567890123456789',
      n: 9007199254740991,
      exp,
      nested: [{ id: '-9007199254740993' }],
      x: 0.1,
    });
  });

  test('with claims that the code of one request cannot change for the next one', async () => {
    const claims = (await verify(await issuer.sign({ roles: ['reader'] }))) as { roles: string[] };
    expect(() => claims.roles.push('admin')).toThrow(TypeError);
  });

  test('within the clock tolerance of exp and nbf', async () => {
    const token = await issuer.sign({ exp: seconds - 4, nbf: seconds + 4 });
    expect(await verify(token)).toMatchObject({ exp: seconds - 4 });
  });
});

describe('A token is refused', () => {
  const payload = { iss: 'https://login.test/', sub: 'a' };

  test.each<[string, string, () => Promise<string>]>([
    ['without a signature', 'algorithm', async () => new UnsecuredJWT(payload).encode()],
    [
      'signed with the public key as a shared secret',
      'algorithm',
      async () => {
        const secret = new TextEncoder().encode(await exportSPKI(issuer.key.publicKey));
        return new SignJWT(payload).setProtectedHeader({ alg: 'HS256', kid: issuer.key.kid }).sign(secret);
      },
    ],
    [
      'signed with another key under the name of a known one',
      'signature',
      async () => {
        const { privateKey } = await generateKeyPair('RS256');
        return new SignJWT(payload)
          .setProtectedHeader({ alg: 'RS256', kid: issuer.key.kid })
          .sign(privateKey);
      },
    ],
    [
      'signed with a key that it brings along',
      'unknown_key',
      async () => {
        const { privateKey, publicKey } = await generateKeyPair('RS256');
        const jwk = await exportJWK(publicKey);
        const jku = 'http://127.0.0.1:1/jwks';
        return new SignJWT(payload)
          .setProtectedHeader({ alg: 'RS256', kid: 'mine', jwk, jku, x5u: jku })
          .sign(privateKey);
      },
    ],
    [
      'signed with a key of another type under the name of a known one',
      'unknown_key',
      async () =>
        new SignJWT(payload)
          .setProtectedHeader({ alg: 'ES256', kid: issuer.key.kid })
          .sign(await importPKCS8(loopbackCertificate.key, 'ES256')),
    ],
    [
      'whose claims were changed',
      'signature',
      async () => {
        const [header, , signature] = (await issuer.sign(payload)).split('.');
        const forged = Buffer.from(JSON.stringify({ ...payload, sub: 'root' })).toString('base64url');
        return [header, forged, signature].join('.');
      },
    ],
    ['signed by one issuer in the name of another', 'unknown_key', () => other.sign(payload)],
    ['of an unknown issuer', 'unknown_issuer', () => issuer.sign({ iss: 'https://evil.test/' })],
    ['without an issuer', 'unknown_issuer', () => issuer.sign({ iss: undefined })],
    ['of a key that is not published', 'unknown_key', () => issuer.sign({}, { kid: 'gone' })],
    ['that has expired', 'expired', () => issuer.sign({ exp: seconds - 6 })],
    ['that is not valid yet', 'not_yet_valid', () => issuer.sign({ nbf: seconds + 6 })],
    ['with a time that is no number', 'claims', () => issuer.sign({ exp: 'tomorrow' })],
    ['whose start is no number', 'claims', () => issuer.sign({ nbf: 'tomorrow' })],
    ['for another audience', 'audience', () => issuer.sign({ aud: 'shop' })],
    ['for no audience', 'audience', () => issuer.sign({})],
    [
      'that demands an unknown extension',
      'malformed',
      async () => {
        const [, claims, signature] = (await issuer.sign(payload)).split('.');
        const header = { alg: 'RS256', kid: issuer.key.kid, crit: ['exotic'], exotic: true };
        return [Buffer.from(JSON.stringify(header)).toString('base64url'), claims, signature].join('.');
      },
    ],
    ['that is no JWT', 'malformed', async () => 'abc'],
    ['that is empty', 'malformed', async () => ''],
    ['whose claims are a list', 'malformed', async () => 'e30.W10.e30'],
    ['that is encrypted', 'malformed', async () => 'e30.e30.e30.e30.e30'],
  ])('%s', async (_, reason, create) => {
    expect(await verify(await create(), { audiences: reason === 'audience' ? ['graph'] : [] })).toBe(reason);
  });

  test('without a claim that its issuer has to add, with a message that names it', async () => {
    const { verifier } = createVerifier({ requiredClaims: ['sub', 'exp'] });
    const refused = Promise.resolve(verifier.verify(await issuer.sign({ sub: 'a', exp: undefined })));
    await expect(refused).rejects.toMatchObject({
      reason: 'missing_claim',
      message: 'The token lacks a required claim. Required: exp.',
    });
    const complete = { sub: 'a', exp: seconds + 60 };
    expect(await outcomeOf(verifier, await issuer.sign(complete))).toMatchObject(complete);
    expect(await outcomeOf(verifier, await other.sign({ sub: 'b' }))).toMatchObject({ sub: 'b' });
  });

  test('with a message that does not repeat it', async () => {
    const { verifier } = createVerifier();
    const token = await issuer.sign({ sub: 'canary', exp: seconds - 100 });
    const error: unknown = await Promise.resolve(verifier.verify(token)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: 'The token has expired (exp).', code: 'UNAUTHENTICATED' });
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(token.slice(0, 20));
  });
});

describe('A verified token', () => {
  test('is known at once when it is sent again, until it expires', async () => {
    const { verifier, timers } = createVerifier();
    const token = await issuer.sign({ sub: 'a', exp: seconds + 60 });
    const verified = await verifier.verify(token);
    expect(verified.expiresAt).toBe(startedAt + 65_000);
    timers.advance(64_999);
    expect(verifier.verify(token)).toBe(verified);
    timers.advance(1);
    expect(await outcomeOf(verifier, token)).toBe('expired');
  });

  test('is forgotten when its issuer publishes other keys', async () => {
    const { verifier, timers } = createVerifier();
    await using local = await startTokenIssuer('https://login.test/', 'RS256');
    const token = await issuer.sign({ sub: 'a' });
    const foreign = await other.sign({ sub: 'b' });
    const [, kept] = [await verifier.verify(token), await verifier.verify(foreign)];
    const before = issuer.requests.length;
    await issuer.rotate();
    timers.advance(600_000);
    // A token with the new key waits for the fetch that the interval has started.
    expect(await outcomeOf(verifier, await issuer.sign({ sub: 'c' }))).toMatchObject({ sub: 'c' });
    expect(issuer.requests.length).toBe(before + 1);
    expect(await outcomeOf(verifier, token)).toBe('unknown_key');
    expect(verifier.verify(foreign)).toBe(kept);
    expect(local.requests).toEqual([]);
  });

  test('of an issuer without key names is verified with each of its keys', async () => {
    const { verifier } = createVerifier({ issuers: 1 });
    const first = issuer.key.jwk;
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const keys = [first, await exportJWK(publicKey)].map(({ kid: _, ...jwk }) => jwk);
    issuer.answerWith((response) => response.end(JSON.stringify({ keys })));
    const sign = (sub: string) =>
      new SignJWT({ iss: 'https://login.test/', sub }).setProtectedHeader({ alg: 'RS256' });
    const stranger = await generateKeyPair('RS256');
    expect([
      await outcomeOf(verifier, await sign('a').sign(privateKey)),
      await outcomeOf(verifier, await sign('b').sign(stranger.privateKey)),
      await outcomeOf(verifier, await issuer.sign({ exp: seconds - 60 }, { kid: undefined } as never)),
    ]).toEqual([expect.objectContaining({ sub: 'a' }), 'signature', 'expired']);
    issuer.answerWith(undefined);
  });
});

describe('A key that was replaced without another name', () => {
  /** Publishes a new key with this `kid`, and returns a function that signs with it. */
  async function publish(kid: string | undefined) {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const keys = [{ ...(await exportJWK(publicKey)), ...(kid === undefined ? {} : { kid }) }];
    issuer.answerWith((response) => response.end(JSON.stringify({ keys })));
    return (sub: string) =>
      new SignJWT({ iss: 'https://login.test/', sub })
        .setProtectedHeader({ alg: 'RS256', ...(kid === undefined ? {} : { kid }) })
        .sign(privateKey);
  }

  afterEach(() => issuer.answerWith(undefined));

  test.each([undefined, 'reused'])('is fetched for a token whose kid is %s', async (kid) => {
    const { verifier } = createVerifier();
    const signBefore = await publish(kid);
    expect(await outcomeOf(verifier, await signBefore('a'))).toMatchObject({ sub: 'a' });
    const signAfter = await publish(kid);
    const requests = issuer.requests.length;
    const tokens = await Promise.all([signAfter('b'), signAfter('c')]);
    expect(await Promise.all(tokens.map((token) => outcomeOf(verifier, token)))).toEqual([
      expect.objectContaining({ sub: 'b' }),
      expect.objectContaining({ sub: 'c' }),
    ]);
    expect(issuer.requests.length).toBe(requests + 1);
    expect(await outcomeOf(verifier, await signBefore('d'))).toBe('signature');
    expect(issuer.requests.length).toBe(requests + 2);
    // A token that was verified with the new key is known.
    expect(verifier.verify(tokens[0] as string)).toMatchObject({ claims: { sub: 'b' } });
  });

  test('is looked for once for each cooldown, however many forged tokens there are', async () => {
    const { verifier, timers } = createVerifier();
    const sign = await publish('reused');
    await outcomeOf(verifier, await sign('a'));
    const stranger = await generateKeyPair('RS256');
    const forged = await new SignJWT({ iss: 'https://login.test/' })
      .setProtectedHeader({ alg: 'RS256', kid: 'reused' })
      .sign(stranger.privateKey);
    const requests = issuer.requests.length;
    timers.advance(30_000);
    for (let count = 0; count < 5; count += 1) expect(await outcomeOf(verifier, forged)).toBe('signature');
    expect(issuer.requests.length).toBe(requests + 1);
  });
});

test('A token of a key that is too short is refused like one of an unknown key', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'short', alg: 'RS256' };
  other.answerWith((response) => response.end(JSON.stringify({ keys: [key] })));
  const signed = [
    { alg: 'RS256', kid: 'short' },
    { iss: 'https://partner.test/', exp: seconds + 60 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(signed), privateKey).toString('base64url');
  expect(await verify(`${signed}.${signature}`)).toBe('unknown_key');
  other.answerWith(undefined);
});
