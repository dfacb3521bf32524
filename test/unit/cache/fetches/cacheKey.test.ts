import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type CacheKeyParts,
  type CacheKeyTarget,
  createCacheKeyBuilder,
  FetchKeys,
  KeyMemo,
  selectKeyHeaders,
} from '../../../../gateway/cache/fetches/cacheKey.ts';
import type { CachePlan } from '../../../../gateway/cache/fetches/cachePlans.ts';
import { entryFormatVersion } from '../../../../gateway/cache/store/entryCodec.ts';
import type { CacheScope } from '../../../../gateway/execution/cachingContribution.ts';
import { rootShape } from '../../../harness/cachedSubgraphs.ts';
import { codePoint } from '../../../harness/codePoint.ts';

/** Any text, including separators and lone surrogates. */
const text = fc.oneof(
  fc.string({ unit: codePoint }),
  fc.string({
    unit: fc.constantFrom('"', ',', ':', ';', '[', ']', '{', '}', '\\', '\0', '1', 'a', '\ud800', '\udc01'),
  }),
);

/** One for each part. A new part does not compile until it is listed here. */
const arbitraries: { readonly [Part in keyof CacheKeyParts]-?: fc.Arbitrary<CacheKeyParts[Part]> } = {
  subgraph: text,
  shape: text,
  variables: text,
  schema: text,
  headers: fc.array(text, { maxLength: 4 }),
  ignoredHeaders: fc.array(text, { maxLength: 4 }),
  identity: fc.option(text, { nil: undefined }),
};

const partNames = Object.keys(arbitraries) as (keyof CacheKeyParts)[];
const anyParts = fc.record(arbitraries) as fc.Arbitrary<CacheKeyParts>;
const anyTarget: fc.Arbitrary<CacheKeyTarget> = fc.oneof(
  fc.record({ kind: fc.constant('entity' as const), representation: text }),
  fc.record({ kind: fc.constant('root' as const), field: text }),
);

const keyOf = (parts: CacheKeyParts, target: CacheKeyTarget): string => createCacheKeyBuilder(parts)(target);

/** `undefined` differs from every text. */
const write = (value: unknown): string => JSON.stringify([value === undefined ? { none: true } : value]);

test.each(partNames)('another %s is another key', (part) => {
  fc.assert(
    fc.property(anyParts, arbitraries[part], anyTarget, (parts, other, target) => {
      fc.pre(write(parts[part]) !== write(other));
      expect(keyOf({ ...parts, [part]: other }, target)).not.toBe(keyOf(parts, target));
    }),
  );
});

test('different targets have different keys', () => {
  fc.assert(
    fc.property(anyParts, anyTarget, anyTarget, (parts, one, other) => {
      fc.pre(write(one) !== write(other));
      expect(keyOf(parts, one)).not.toBe(keyOf(parts, other));
    }),
  );
});

test('equal parts have equal keys, with their properties in any order', () => {
  fc.assert(
    fc.property(anyParts, anyTarget, (parts, target) => {
      const reversed = Object.fromEntries(Object.entries(parts).reverse()) as unknown as CacheKeyParts;
      expect(keyOf(reversed, { ...target })).toBe(keyOf(parts, target));
    }),
  );
});

test('text moved from the end of one part to the beginning of another changes the key', () => {
  const texts = partNames.filter((part) => part !== 'headers' && part !== 'ignoredHeaders');
  const neighbours = texts.flatMap((one) =>
    texts.filter((other) => other !== one).map((other) => [one, other] as const),
  );
  fc.assert(
    fc.property(
      anyParts,
      fc.constantFrom(...neighbours),
      text.filter((moved) => moved !== ''),
      anyTarget,
      (parts, [one, other], moved, target) => {
        const before = { ...parts, [one]: `${parts[one] ?? ''}${moved}`, [other]: parts[other] ?? '' };
        const after = { ...parts, [one]: parts[one] ?? '', [other]: `${moved}${parts[other] ?? ''}` };
        expect(keyOf(before, target)).not.toBe(keyOf(after, target));
      },
    ),
  );
});

const parts: CacheKeyParts = {
  subgraph: 'inventory',
  shape: '{ stock }',
  variables: '{}',
  schema: 's',
  headers: [],
  ignoredHeaders: [],
  identity: undefined,
};

test.each<[string, Partial<CacheKeyParts>, Partial<CacheKeyParts>]>([
  ['no identity and an empty one', { identity: undefined }, { identity: '' }],
  ['no identity and the identity "null"', { identity: undefined }, { identity: 'null' }],
  ['a header and its value, and one header with both', { headers: ['a', 'b'] }, { headers: ['a,b'] }],
  ['no header and an empty one', { headers: [] }, { headers: [''] }],
  ['a header, and an ignored one of the same name', { headers: ['a', 'b'] }, { ignoredHeaders: ['a', 'b'] }],
  ['two halves of different characters', { identity: '\ud800' }, { identity: '\ud801' }],
])('%s have different keys', (_, one, other) => {
  const target = { kind: 'root', field: '*' } as const;
  expect(keyOf({ ...parts, ...one }, target)).not.toBe(keyOf({ ...parts, ...other }, target));
});

test('a key begins with the format version of entries and contains no special characters of stores', () => {
  const [version, ...digests] = keyOf(parts, { kind: 'entity', representation: '{"id":"1"}' }).split(':');
  expect([version, digests]).toEqual([`${entryFormatVersion}`, [expect.stringMatching(/^[\w-]{43}$/)]]);
});

test('keys of one format version are the same in every process', () => {
  expect(
    keyOf(parts, { kind: 'entity', representation: '{"__typename":"Product","id":"1"}' }),
  ).toMatchInlineSnapshot(`"1:-_oRKIqhLJXOk9kZvbc28jDN6KrHGUpZ_K3ROOVq4uc"`);
});

const headerPairs = ['accept-language', 'authorization', 'authorization', 'Bearer a', 'x-shop', 'de'];

test('keys of public values contain all forwarded headers except the ignored ones', () => {
  expect(selectKeyHeaders(headerPairs, 'PUBLIC', new Set())).toEqual(headerPairs);
  expect(selectKeyHeaders(headerPairs, 'PUBLIC', new Set(['authorization', 'absent']))).toEqual([
    'accept-language',
    'authorization',
    'x-shop',
    'de',
  ]);
});

test('keys of private values contain all forwarded headers', () => {
  expect(selectKeyHeaders(headerPairs, 'PRIVATE', new Set(['authorization']))).toEqual(headerPairs);
});

describe('the key of a value', () => {
  const plan = { operationText: '{ stock }', fingerprint: 's' } as CachePlan;
  const keyWith = (ignored: readonly string[], scope: CacheScope): string => {
    const requestContext = { headersFor: () => ({ pairs: [] }), identity: 'ada' };
    const call = { requestContext, contextVariables: [] } as unknown as ConstructorParameters<
      typeof FetchKeys
    >[0];
    const keys = new FetchKeys(call, rootShape('inventory', '{ stock }'), { ...plan }, new Set(ignored));
    return keys.keyFor(scope, { kind: 'root', field: '*' });
  };

  test('is another one when a header is not ignored any more, also for clients that do not send it', () => {
    expect(keyWith(['authorization'], 'PUBLIC')).not.toBe(keyWith([], 'PUBLIC'));
  });

  test('does not depend on the order of the ignored headers', () => {
    expect(keyWith(['a', 'b'], 'PUBLIC')).toBe(keyWith(['b', 'a'], 'PUBLIC'));
  });

  test('does not depend on ignored headers if the value is private', () => {
    expect(keyWith(['authorization'], 'PRIVATE')).toBe(keyWith([], 'PRIVATE'));
  });
});

test('the keys of requests that follow each other depend on the variables, the headers and the identity of each', () => {
  const plan = { operationText: 'query($of: ID) { stock(of: $of) }', fingerprint: 's' } as CachePlan;
  const shape = rootShape('inventory', 'query($of: ID) { stock(of: $of) }');
  // Each differs from the one before in one respect.
  const requests = [
    ['1', 'de', 'ada'],
    ['1', 'de', 'bob'],
    ['1', 'en', 'bob'],
    ['1', 'en', 'ada'],
    ['2', 'en', 'ada'],
    ['2', 'en', 'bob'],
    ['2', 'de', 'bob'],
    ['2', 'de', 'ada'],
  ];
  const keysOf = (scope: CacheScope): string[] =>
    requests.map(([of, language, identity]) => {
      const pairs = ['accept-language', language];
      const requestContext = { variables: {}, headersFor: () => ({ pairs }), identity };
      const call = { requestContext, contextVariables: { of } } as unknown as ConstructorParameters<
        typeof FetchKeys
      >[0];
      return new FetchKeys(call, shape, plan, new Set()).keyFor(scope, { kind: 'root', field: '*' });
    });
  expect(new Set(keysOf('PRIVATE')).size).toBe(requests.length);
  expect(new Set(keysOf('PUBLIC')).size).toBe(requests.length / 2);
  expect(keysOf('PRIVATE')).toEqual(keysOf('PRIVATE'));
});

/** A builder of keys, and the representations of the keys that it has built. */
function recordedBuilder(keyParts = parts) {
  const built: string[] = [];
  const build = createCacheKeyBuilder(keyParts);
  const buildKey = (target: CacheKeyTarget): string => {
    if (target.kind === 'entity') built.push(target.representation);
    return build(target);
  };
  return { built, build, buildKey };
}

test('a remembered key is that of its builder and target, and all are forgotten at the maximum size', () => {
  const memo = new KeyMemo(5_000);
  const recorded = [parts, { ...parts, identity: 'a' }].map((keyParts) => recordedBuilder(keyParts));
  for (const id of [1, 2, 1, 3, 4, 5, 6, 7, 1]) {
    const target = { kind: 'entity', representation: `${id}` } as const;
    for (const { buildKey, build } of recorded) expect(memo.keyOf(buildKey, target)).toBe(build(target));
  }
  // Twelve keys have more than 5000 bytes.
  const ids = [1, 2, 3, 4, 5, 6, 7, 1].map(String);
  expect(recorded.map(({ built }) => built)).toEqual([ids, ids]);
});

test('a key is built again after all were forgotten', () => {
  const memo = new KeyMemo(1_000);
  const { built, buildKey } = recordedBuilder();
  for (const representation of ['1', '1', '2', '3', '1'])
    memo.keyOf(buildKey, { kind: 'entity', representation });
  expect(built).toEqual(['1', '2', '3', '1']);
});

test('the key of a long text is not remembered', () => {
  const memo = new KeyMemo(5_000);
  const { built, buildKey } = recordedBuilder();
  const texts = [500, 501].map((length) => 'x'.repeat(length));
  for (const representation of [...texts, ...texts]) memo.keyOf(buildKey, { kind: 'entity', representation });
  expect(built.map(({ length }) => length)).toEqual([500, 501, 501]);
});
