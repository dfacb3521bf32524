import { describe, expect, test } from '@jest/globals';
import type { ReadIdentity } from '../../gateway/admission/identity.ts';
import { type CachedShop, startCachedShop } from '../harness/cachedShop.ts';
import { startTokenIssuer } from '../harness/tokenIssuer.ts';

const rules = {
  'subgraph:catalog': { maxAge: '1m' },
  'subgraph:people': { maxAge: '1m', staleWhileRevalidate: '1m', staleIfError: '10m', scope: 'PRIVATE' },
} as const;
const query = '{ top { name wished } }';

/** The answer of the subgraph to a request without `x-user-id`. */
const answerFor = (owner: string) => ({ data: { top: { name: 'Product 1', wished: owner } } });

function startByHeader(forward: readonly string[] = ['x-user-id']): Promise<CachedShop> {
  return startCachedShop({
    cache: { rules },
    config: {
      security: { identity: { header: 'x-user-id' } },
      subgraphs: { all: { headers: { forward: [...forward] } } },
    },
  });
}

const by = (id: string) => ({ headers: { 'x-user-id': id } });

describe('Private values', () => {
  test('are stored for each identity and never served to another one', async () => {
    await using shop = await startByHeader();
    for (let round = 0; round < 2; round++) {
      for (const owner of ['a', 'b', 'a', 'A', ' a,b']) {
        const { body, headers } = await shop.execute(query, by(owner));
        expect(body).toEqual(answerFor(owner.trim()));
        expect(headers.get('cache-control')).toBe('private, max-age=60');
        expect(headers.get('vary')).toBe('accept-encoding, accept, x-user-id');
      }
    }
    expect(shop.people.calls).toHaveLength(4);
  });

  test('are separate even if the identity header is not forwarded', async () => {
    await using shop = await startByHeader([]);
    for (const owner of ['a', 'b', 'a', 'b']) await shop.execute(query, by(owner));
    expect(shop.people.calls).toHaveLength(2);
  });

  test('are not stored without an identity', async () => {
    await using shop = await startByHeader();
    for (const options of [{}, by(''), {}]) {
      const { body, headers } = await shop.execute(query, options);
      expect(body.data).toEqual({ top: { name: 'Product 1', wished: expect.stringMatching(/^(nobody|)$/) } });
      expect(headers.get('cache-control')).toBe('no-store');
    }
    expect(shop.people.calls).toHaveLength(3);
    // A request without an identity gets no stored private value.
    await shop.execute(query, by('a'));
    expect((await shop.execute(query)).body).toEqual(answerFor('nobody'));
  });

  test('are not stored without `security.identity`', async () => {
    await using shop = await startCachedShop({
      cache: { rules },
      config: { subgraphs: { all: { headers: { forward: ['x-user-id'] } } } },
    });
    for (const owner of ['a', 'a']) {
      expect((await shop.execute(query, by(owner))).headers.get('cache-control')).toBe('no-store');
    }
    expect(shop.people.calls).toHaveLength(2);
  });

  test('are separate by a claim of the verified token, and by the whole token if it is forwarded', async () => {
    await using issuer = await startTokenIssuer();
    await using shop = await startCachedShop({
      cache: { rules },
      config: { security: { jwt: { issuers: [{ jwks: issuer.jwks }] } } },
    });
    const tokens = [{ sub: 'a' }, { sub: 'a', jti: '2' }, { sub: 'b' }].map((claims) => issuer.sign(claims));
    const [first, later, made] = await Promise.all(tokens);
    for (const token of [first, first, later, made, later]) {
      const authorization = `Bearer ${token}`;
      const { body, headers } = await shop.execute(query, { headers: { authorization } });
      expect(body).toEqual(answerFor(authorization));
      expect(headers.get('vary')).toBe('accept-encoding, accept, accept-language, authorization');
    }
    expect(shop.people.calls).toHaveLength(3);
    for (const token of await Promise.all([issuer.sign({}), issuer.sign({ sub: ['a'] })])) {
      const { headers } = await shop.execute(query, { headers: { authorization: `Bearer ${token}` } });
      expect(headers.get('cache-control')).toBe('no-store');
    }
    // Without a valid signature, a claim is nothing.
    const forged = `Bearer ${first?.split('.').slice(0, 2).join('.')}.AAAA`;
    const refused = await shop.execute(query, { headers: { authorization: forged } });
    expect(refused.status).toBe(401);
  });

  test('are separate by the claim and the issuer if the token is not forwarded', async () => {
    await using issuer = await startTokenIssuer('https://login.test/');
    await using partner = await startTokenIssuer('https://partner.test/');
    const issuers = [
      { jwks: issuer.jwks, issuer: 'https://login.test/' },
      { jwks: partner.jwks, issuer: 'https://partner.test/' },
    ];
    await using shop = await startCachedShop({
      cache: { rules },
      config: {
        security: { jwt: { issuers, cookie: 'session' } },
        subgraphs: { all: { headers: { forward: [] } } },
      },
    });
    const tokens = [
      issuer.sign({ sub: 7 }),
      issuer.sign({ sub: '7', jti: '2' }),
      issuer.sign({ sub: '8' }),
      partner.sign({ sub: '7' }),
    ];
    for (const token of await Promise.all(tokens)) {
      const { headers } = await shop.execute(query, { headers: { cookie: `session=${token}` } });
      expect(headers.get('vary')).toBe('accept-encoding, accept, authorization, cookie');
    }
    expect(shop.people.calls).toHaveLength(3);
  });

  test('are not reused by caches of clients if the application reads who sent a request', async () => {
    const readIdentity: ReadIdentity = (headers) => {
      const user = headers.get('x-session');
      return { identity: user, tokenOwner: user, clientKey: user ?? 'anonymous' };
    };
    await using shop = await startCachedShop({
      cache: { rules },
      config: { subgraphs: { all: { headers: { forward: [] } } } },
      dependencies: { readIdentity },
    });
    const { headers } = await shop.execute(query, { headers: { 'x-session': 'a' } });
    expect(headers.get('cache-control')).toBe('private, max-age=60');
    expect(headers.get('vary')).toBe('*');
  });

  test('are refreshed for the identity of the request when they are stale', async () => {
    await using shop = await startByHeader();
    for (const owner of ['a', 'b']) await shop.execute(query, by(owner));
    shop.clock.advanceSeconds(61);
    for (const owner of ['b', 'a']) {
      const { body } = await shop.execute(query, by(owner));
      expect(body.data).toEqual(answerFor(owner).data);
      expect(body.extensions).toBeDefined();
      expect((await shop.executeUntilFresh(query, by(owner))).body).toEqual(answerFor(owner));
    }
    expect(shop.people.calls.map(({ headers }) => headers['x-user-id'])).toEqual(['a', 'b', 'b', 'a']);
    await shop.people.close();
    shop.clock.advanceSeconds(200);
    expect((await shop.execute(query, by('a'))).body.data).toEqual(answerFor('a').data);
    expect((await shop.execute(query, by('c'))).body.errors).toHaveLength(1);
    expect((await shop.execute(query)).body.errors).toHaveLength(1);
  });

  test('are fetched for each identity when several request them at the same time', async () => {
    await using shop = await startByHeader();
    await shop.execute('{ top { name } }');
    const gate = shop.people.hold('Product.wished');
    const owners = ['a', 'b', 'a', 'c', 'b', 'a'];
    const answers = owners.map((owner) => shop.execute(query, by(owner)));
    await gate.waitForArrivals(3);
    gate.open();
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(owners.map(answerFor));
    expect(shop.people.calls).toHaveLength(3);
  });

  test('can be root fields', async () => {
    await using shop = await startByHeader();
    for (const owner of ['a', 'b', 'a']) {
      const { body } = await shop.execute('{ me { id email } greeting }', by(owner));
      expect(body).toEqual({ data: { me: { id: owner, email: owner }, greeting: 'hello' } });
    }
    // Public values are separate only by forwarded headers.
    expect(shop.people.calls).toHaveLength(2);
    expect(shop.catalog.calls).toHaveLength(2);
  });
});

describe('Public values', () => {
  test('are separate by forwarded headers that are not ignored', async () => {
    const forward = ['x-user-id', 'accept-language'];
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:people': { maxAge: '1m' } }, ignoreHeaders: ['accept-language'] },
      config: { subgraphs: { all: { headers: { forward } } } },
    });
    const asking = [
      ['a', 'de'],
      ['b', 'de'],
      ['a', 'en'],
    ] as const;
    for (const [owner, language] of asking) {
      const headers = { 'x-user-id': owner, 'accept-language': language };
      const answer = await shop.execute('{ me { id } }', { headers });
      expect(answer.body).toEqual({ data: { me: { id: owner } } });
      expect(answer.headers.get('cache-control')).toBe('public, max-age=60');
      expect(answer.headers.get('vary')).toBe('accept-encoding, accept, x-user-id');
    }
    expect(shop.people.calls).toHaveLength(2);
  });
});
