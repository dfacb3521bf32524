import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../../gateway/config/schema.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import {
  checkConnectionHeader,
  createHeaderRules,
  HeaderRules,
} from '../../../gateway/subgraphs/headerRules.ts';

type Headers = Readonly<Record<string, string>>;
type Claims = Readonly<Record<string, unknown>>;
type Configured = NonNullable<NonNullable<NonNullable<GatewayOptions['subgraphs']>['all']>['headers']>;
type Rules = NonNullable<Configured['rules']>;

function compile({ forward = [], rules = [] }: Pick<Configured, 'forward' | 'rules'>): HeaderRules {
  const subgraphs = { all: { headers: { forward, rules } } };
  const config = parseConfig({ supergraph: { file: 'a' }, subgraphs }, { readsIdentity: true });
  return createHeaderRules(config)('reviews');
}

function sent(rules: HeaderRules, client: Headers, claims?: Claims): Headers {
  const { pairs } = rules.select(new Map(Object.entries(client)), claims);
  const entries: [string, string][] = [];
  for (let i = 0; i < pairs.length; i += 2) entries.push([pairs[i] as string, pairs[i + 1] as string]);
  return Object.fromEntries(entries);
}

describe('forwarded headers', () => {
  test('contain only allow-listed headers, in any letter case of the list', () => {
    const client = new Map(
      Object.entries({ authorization: 'Bearer a', cookie: 's=1', 'accept-language': 'de' }),
    );
    const rules = compile({ forward: ['Authorization', 'accept-language', 'x-absent'] });

    expect(rules.select(client, undefined)).toEqual({
      key: '15:accept-language2:de13:authorization8:Bearer a',
      pairs: ['accept-language', 'de', 'authorization', 'Bearer a'],
    });
  });

  test('have the same key for an allow-list in another order or with duplicates', () => {
    const client = new Map(Object.entries({ a: '1', b: '2' }));
    expect(compile({ forward: ['b', 'A', 'a'] }).select(client, undefined)).toEqual(
      compile({ forward: ['a', 'b'] }).select(client, undefined),
    );
  });

  test.each([
    'connection',
    'Keep-Alive',
    'proxy-authorization',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'host',
    'content-length',
    'content-type',
    'expect',
    'sec-websocket-key',
    'sec-websocket-protocol',
    'x-request-id',
    'traceparent',
    'tributary-deadline-ms',
    ':authority',
    'no header name',
    '__proto__:',
  ])('never contain "%s", even if it is listed or matched', (name) => {
    const client = new Map([[name.toLowerCase(), 'x']]);
    for (const rules of [
      new HeaderRules({ forward: [name], rules: [] }),
      new HeaderRules({ forward: [], rules: [{ forwardMatching: '.' }] }),
    ])
      expect(rules.select(client, undefined)).toEqual({ key: '', pairs: [] });
  });

  test.each(['a\r\nx-admin: 1', 'a\nb', 'a\0b', 'ключ'])(
    'with a value that no header can have refuse the request: %j',
    (value) => {
      const attempt = (): unknown => sent(compile({ forward: ['authorization'] }), { authorization: value });

      expect(attempt).toThrow(GatewayError);
      expect(attempt).toThrow('The value of the header "authorization" has a forbidden character.');
    },
  );

  test('that the client lists in `connection` refuse the request', () => {
    const rules = compile({ forward: ['x-user'], rules: [{ forwardMatching: '^x-acme-' }] });
    const client = { 'x-user': 'ada', 'x-acme-a': '1', 'x-other': '2' };

    const check = (connection: string): void =>
      checkConnectionHeader([compile({}), rules], new Map(Object.entries({ ...client, connection })));
    expect(() => check('close, X-User')).toThrow(
      'The header "connection" lists "x-user", which is sent on to subgraphs. Do not list it.',
    );
    expect(() => check('x-acme-a')).toThrow('lists "x-acme-a"');
    check('keep-alive, Upgrade, connection, x-other, x-acme-absent');
  });
});

const client: Headers = {
  authorization: 'Bearer a',
  cookie: 's=1',
  'x-a': 'a',
  'x-b': 'b',
  'x-acme-one': '1',
  'x-acme-two': '2',
};
const claims: Claims = {
  sub: 'ada',
  level: 3,
  isAdmin: false,
  roles: ['a,b', 'c'],
  address: { city: 'Łódź' },
  nothing: null,
};

describe('header rules', () => {
  test.each<[string, Rules, Headers]>([
    ['a constant replaces what the client sent', [{ set: 'X-A', value: 'constant' }], { 'x-a': 'constant' }],
    ['an empty constant is sent', [{ set: 'x-a', value: '' }], { 'x-a': '' }],
    ['a text claim is sent as it is', [{ set: 'x-user', claim: 'sub' }], { 'x-user': 'ada' }],
    ['a number claim is sent as text', [{ set: 'x-level', claim: 'level' }], { 'x-level': '3' }],
    ['a flag claim is sent as text', [{ set: 'x-admin', claim: 'isAdmin' }], { 'x-admin': 'false' }],
    ['a list claim is sent as JSON', [{ set: 'x-roles', claim: 'roles' }], { 'x-roles': '["a,b","c"]' }],
    [
      'a section claim is sent as JSON in ASCII',
      [{ set: 'x-address', claim: 'address' }],
      { 'x-address': '{"city":"\\u0141\\u00f3d\\u017a"}' },
    ],
    ['a missing claim sends nothing, and not the header of the client', [{ set: 'x-a', claim: 'other' }], {}],
    ['a null claim sends nothing', [{ set: 'x-a', claim: 'nothing' }], {}],
    ['a claim named like a member of every object is missing', [{ set: 'x-a', claim: 'toString' }], {}],
    [
      'a missing claim hides the header of the client from later rules',
      [
        { set: 'x-a', claim: 'other' },
        { forward: 'x-a' },
        { rename: 'x-a', to: 'x-c' },
        { forwardMatching: '^x-a$' },
      ],
      {},
    ],
    ['a renamed header loses its own name', [{ rename: 'x-a', to: 'x-c' }], { 'x-c': 'a' }],
    [
      'a renamed header replaces the header of the client under the new name',
      [{ forward: 'x-b' }, { rename: 'x-a', to: 'x-b' }],
      { 'x-b': 'a' },
    ],
    [
      'renaming an absent header removes the header of the client under the new name',
      [{ forward: 'x-b' }, { rename: 'x-absent', to: 'x-b' }, { forward: 'x-b' }],
      {},
    ],
    [
      'a header set by an earlier rule can be renamed',
      [
        { set: 'x-user', claim: 'sub' },
        { rename: 'x-user', to: 'x-customer' },
      ],
      { 'x-customer': 'ada' },
    ],
    ['a header is forwarded by name', [{ forward: 'X-A' }], { 'x-a': 'a' }],
    [
      'headers are forwarded by expression, in any letter case',
      [{ forwardMatching: '^X-Acme-' }],
      { 'x-acme-one': '1', 'x-acme-two': '2' },
    ],
    [
      'a removed header is not sent',
      [{ forwardMatching: '^x-acme-' }, { remove: 'x-acme-one' }],
      { 'x-acme-two': '2' },
    ],
    ['a removed header stays removed', [{ remove: 'x-a' }, { forward: 'x-a' }], {}],
    [
      'a removed header stays removed beside others of the client',
      [{ remove: 'x-a' }, { forward: 'x-a' }, { forward: 'x-b' }],
      { 'x-b': 'b' },
    ],
    ['a removed header can be set', [{ remove: 'x-a' }, { set: 'x-a', value: 'new' }], { 'x-a': 'new' }],
    [
      'the last of two rules for one header counts',
      [
        { set: 'x-a', value: '1' },
        { set: 'x-a', value: '2' },
      ],
      { 'x-a': '2' },
    ],
  ])('%s', (_title, rules, expected) => {
    expect(sent(compile({ rules }), client, claims)).toEqual(expected);
  });

  test('apply after the allow-list', () => {
    const rules = compile({ forward: ['authorization', 'cookie'], rules: [{ remove: 'cookie' }] });
    expect(sent(rules, client)).toEqual({ authorization: 'Bearer a' });
  });

  test('match no name of more than 64 characters', () => {
    const long = `x-acme-${'a'.repeat(60)}`;
    expect(sent(compile({ rules: [{ forwardMatching: '^x-acme-' }] }), { [long]: '1' })).toEqual({});
  });

  test('refuse a claim that no header can have', () => {
    const rules = compile({ rules: [{ set: 'x-user', claim: 'sub' }] });
    expect(() => sent(rules, {}, { sub: 'a\r\nx-admin: 1' })).toThrow('The value of the header "x-user"');
  });

  test('send only constants without a client', () => {
    const rules = compile({
      forward: ['x-a'],
      rules: [
        { set: 'x-region', value: 'eu' },
        { set: 'x-user', claim: 'sub' },
      ],
    });
    expect(rules.constantHeaders.pairs).toEqual(['x-region', 'eu']);
  });

  test('without a header of the client select the same object for all requests', () => {
    const rules = compile({ rules: [{ set: 'x-region', value: 'eu' }] });
    expect(rules.select(new Map([['x-region', 'us']]), undefined)).toBe(rules.select(new Map(), claims));
  });

  test('of a subgraph replace those of all, and other subgraphs share one object', () => {
    const config = parseConfig({
      supergraph: { file: 'a' },
      subgraphs: {
        all: { headers: { forward: ['x-a'], rules: [{ set: 'x-region', value: 'eu' }] } },
        reviews: { headers: { rules: [{ forward: 'x-b' }] } },
        stock: { signing: { secret: 'secret' } },
      },
    });
    const rulesOf = createHeaderRules(config);
    expect(sent(rulesOf('reviews'), client)).toEqual({ 'x-a': 'a', 'x-b': 'b' });
    expect(sent(rulesOf('products'), client)).toEqual({ 'x-a': 'a', 'x-region': 'eu' });
    expect(rulesOf('products')).toBe(rulesOf('accounts'));
  });

  test('never send the header of the signature', () => {
    const rules = new HeaderRules({ forward: ['x-sig'], rules: [{ forwardMatching: '^x-' }] }, 'x-sig');
    expect(sent(rules, { 'x-sig': 'forged', 'x-a': 'a' })).toEqual({ 'x-a': 'a' });
  });

  test('never send the header of the signature of one of several subgraphs with equal rules', () => {
    const rulesOf = createHeaderRules(
      parseConfig({
        supergraph: { file: 'a' },
        subgraphs: {
          all: { headers: { rules: [{ forwardMatching: '^x-' }] } },
          reviews: { signing: { secret: 'secret', header: 'x-a' } },
          stock: { signing: { secret: 'secret', header: 'x-b' } },
        },
      }),
    );
    const sentTo = (subgraph: string) => sent(rulesOf(subgraph), { 'x-a': 'a', 'x-b': 'b' });
    expect(sentTo('products')).toEqual({ 'x-a': 'a', 'x-b': 'b' });
    expect(sentTo('reviews')).toEqual({ 'x-b': 'b' });
    expect(sentTo('stock')).toEqual({ 'x-a': 'a' });
  });

  test('know the client headers behind the sent ones', () => {
    const behind = (rules: Rules, ignored: readonly string[] = []) =>
      compile({ forward: ['authorization', 'cookie'], rules }).sourceHeaders(new Set(ignored));

    expect(behind([])).toEqual(['authorization', 'cookie']);
    expect(behind([{ remove: 'cookie' }, { rename: 'authorization', to: 'x-token' }])).toEqual([
      'authorization',
    ]);
    expect(behind([{ remove: 'cookie' }, { rename: 'authorization', to: 'x-token' }], ['x-token'])).toEqual(
      [],
    );
    expect(behind([{ set: 'cookie', value: '' }, { forward: 'x-a' }])).toEqual(['authorization', 'x-a']);
    expect(behind([{ remove: 'cookie' }, { forward: 'cookie' }])).toEqual(['authorization']);
    expect(behind([{ set: 'x-user', claim: 'sub' }], ['authorization', 'cookie'])).toEqual(['*']);
    expect(behind([{ forwardMatching: '^x-' }], ['authorization', 'cookie'])).toEqual(['*']);
  });

  test('know which headers and claims they read', () => {
    const rules = compile({
      forward: ['authorization'],
      rules: [
        { rename: 'x-a', to: 'x-c' },
        { forward: 'x-b' },
        { forwardMatching: '^(x-acme-|x-request-id)' },
        { set: 'x-user', claim: 'sub' },
      ],
    });
    // `x-request-id` is the gateway's own.
    const names = ['authorization', 'cookie', 'x-a', 'x-b', 'x-c', 'x-acme-one', 'x-user', 'x-request-id'];
    expect(names.filter((name) => rules.reads(name))).toEqual(['authorization', 'x-a', 'x-b', 'x-acme-one']);
    expect(rules.claimNames).toEqual(['sub']);
  });

  test('give equal keys exactly if all sent headers are equal', () => {
    const names = ['a', 'a1', 'aa', 'b'];
    const name = fc.constantFrom(...names);
    // Values that look like parts of a key could make two keys collide.
    const value = fc.oneof(
      fc.constantFrom('', '1', ':', '1:a', '1:a1:1', 'aa0:'),
      fc.string({ maxLength: 4 }).filter((text) => /^[\x20-\x7e]*$/.test(text)),
    );
    const rule: fc.Arbitrary<Rules[number]> = fc.oneof(
      fc.record({ set: name, value }),
      fc.record({ set: name, claim: name }),
      fc.record({ remove: name }),
      fc.record({ rename: name, to: name }),
      fc.record({ forward: name }),
      fc.constant({ forwardMatching: '^a' }),
    );
    const headers = fc.dictionary(name, value);
    const request = fc.record({ headers, claims: headers });

    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 5 }),
        fc.subarray(names),
        request,
        request,
        (rules, forward, one, other) => {
          const compiled = new HeaderRules({ forward, rules });
          const select = (from: { headers: Headers; claims: Claims }) =>
            compiled.select(new Map(Object.entries(from.headers)), from.claims);
          const areEqual =
            JSON.stringify(sent(compiled, one.headers, one.claims)) ===
            JSON.stringify(sent(compiled, other.headers, other.claims));
          expect(select(one).key === select(other).key).toBe(areEqual);
        },
      ),
      { numRuns: 500 },
    );
  });
});
