import { describe, expect, test } from '@jest/globals';
import { type CachedShop, startCachedShop } from '../harness/cachedShop.ts';

const rules = {
  'subgraph:catalog': { maxAge: '1m' },
  'subgraph:people': { maxAge: '1m', staleWhileRevalidate: '1m', staleIfError: '10m', scope: 'PRIVATE' },
} as const;
const query = '{ top { name wished } }';

/** The answer of the subgraph to a request without `x-user-id`. */
const answerFor = (owner: string) => ({ data: { top: { name: 'Product 1', wished: owner } } });

const token = (claims: unknown): string =>
  `Bearer ${['{"alg":"none"}', JSON.stringify(claims), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.')}`;

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

  test('are separate by a claim of the token, and by the whole token if it is forwarded', async () => {
    await using shop = await startCachedShop({
      cache: { rules },
      config: { security: { identity: { claim: 'sub' } } },
    });
    const [first, later, made] = [{ sub: 'a' }, { sub: 'a', exp: 2 }, { sub: 'b' }].map(token);
    for (const authorization of [first, first, later, made, later]) {
      const { body, headers } = await shop.execute(query, {
        headers: { authorization: authorization ?? '' },
      });
      expect(body).toEqual(answerFor(authorization ?? ''));
      expect(headers.get('vary')).toBe('accept-encoding, accept, accept-language, authorization');
    }
    expect(shop.people.calls).toHaveLength(3);
    for (const authorization of [token({}), token({ sub: ['a'] }), 'Bearer a.b', 'Basic YQ==']) {
      const { headers } = await shop.execute(query, { headers: { authorization } });
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });

  test('are separate by the claim alone if the token is not forwarded', async () => {
    await using shop = await startCachedShop({
      cache: { rules },
      config: {
        security: { identity: { claim: 'sub' } },
        subgraphs: { all: { headers: { forward: [] } } },
      },
    });
    for (const claims of [{ sub: 7 }, { sub: '7', exp: 2 }, { sub: '8' }]) {
      await shop.execute(query, { headers: { authorization: token(claims) } });
    }
    expect(shop.people.calls).toHaveLength(2);
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
