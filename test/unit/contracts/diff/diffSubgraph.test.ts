import { describe, expect, it } from '@jest/globals';
import { diffSubgraph } from '../../../../contracts/diff/diffSubgraph.ts';
import { isRuleId, ruleGroups, ruleOf } from '../../../../contracts/rules.ts';
import { type ChangeRow, changeTable } from './changeTable.ts';
import { contractOf, federation2, withOwnDirectives } from './subgraphSdl.ts';

describe('diffSubgraph reports the URL of a subgraph', () => {
  const placeholder = 'http://products.invalid/';
  const at = (url: string) => ({
    ...contractOf(`# @url ${url}\ntype Query { a: Int }`),
    name: 'products',
    url,
  });

  it.each([
    ['http://old.test/', 'http://new.test/', 'changed from http://old.test/ to http://new.test/'],
    ['http://me:secret@old.test/', placeholder, 'is not known any more; it was http://old.test/'],
  ])('that changes from %s to %s', async (before, after, change) => {
    expect(await diffSubgraph(at(before), at(after))).toEqual([
      expect.objectContaining({
        rule: 'subgraph-url-changed',
        severity: 'safe',
        subgraph: 'products',
        message: `The URL of products ${change}`,
      }),
    ]);
  });

  it.each([
    ['http://old.test/', 'http://old.test/'],
    [placeholder, 'http://new.test/'],
  ])('not when it was %s and is %s', async (before, after) => {
    expect(await diffSubgraph(at(before), { ...at(after), sdl: 'type Query { a: Int }' })).toEqual([]);
  });
});

async function found(old: string | undefined, next: string | undefined): Promise<string[]> {
  const findings = await diffSubgraph(
    old === undefined ? undefined : contractOf(old),
    next === undefined ? undefined : contractOf(next),
  );
  return findings
    .map(
      ({ rule, severity, coordinate = '-', location }) =>
        `${rule} ${severity} ${coordinate} ${location?.line}`,
    )
    .sort();
}

const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9"';
const types = 'type Query { ping: Int } type T @key(fields: "id") { id: ID! a: Int @shareable }';
const renamed = `${link}, import: [{ name: "@key", as: "@k" }, "@shareable"])
type Query { ping: Int } type T @k(fields: "id") { id: ID! a: Int @shareable }`;
const namespaced = `${link})
type Query { ping: Int } type T @federation__key(fields: "id") { id: ID! a: Int @federation__shareable }`;
const otherNamespace = `${link}, as: "fed")
type Query { ping: Int } type T @fed__key(fields: "id") { id: ID! a: Int @fed__shareable }`;
const federation1 = 'type Query { ping: Int } extend type T @key(fields: "id") { id: ID! @external a: Int }';

const wholeTable: readonly (Omit<ChangeRow, 'old' | 'next'> & {
  readonly old: string | undefined;
  readonly next: string | undefined;
})[] = [
  { title: 'a subgraph is new', old: undefined, next: types, findings: ['subgraph-added safe - 1'] },
  { title: 'a subgraph is gone', old: types, next: undefined, findings: ['subgraph-removed breaking - 1'] },
  { title: 'there has never been a subgraph', old: undefined, next: undefined, findings: [] },
  {
    title: 'an SDL does not parse',
    old: federation2(types),
    next: 'type Query {\n  ping: Int\n  broken:\n}',
    findings: ['subgraph-unparseable misuse - 4'],
  },
  {
    title: 'neither SDL is a subgraph',
    old: 'type Query { a(: Int }',
    next: federation2('type Query { ping: Int }\ntype T @key(fields: "nothing") {\n id: ID! }'),
    findings: ['subgraph-invalid breaking T 3'],
  },
  {
    title: 'a field of a @oneOf type must not be omitted',
    old: federation2(types),
    next: federation2('type Query { ping(i: I): Int }\ninput I @oneOf {\n id: ID! }'),
    findings: ['subgraph-invalid breaking I.id 4'],
  },
  {
    title: 'an SDL that was no subgraph is put right',
    old: federation2('type Query { ping: Int }\ntype T @key(fields: "nothing") {\n id: ID! }'),
    next: federation2(types),
    findings: ['baseline-not-composed safe - 3'],
  },
  {
    title: 'a Federation 1 schema changes',
    old: federation1,
    next: 'type Query { ping: Int }\nextend type T @key(fields: "id") {\n id: ID! @external }',
    findings: ['field-removed breaking T.a 2'],
  },
  {
    title: 'a Federation 1 schema loses its key',
    old: federation1,
    next: 'type Query { ping: Int }\ntype T {\n id: ID! a: Int }',
    findings: ['external-removed safe T.id 3', 'key-removed breaking T 2'],
  },
  {
    title: 'a schema becomes one of Federation 2',
    old: 'type Query { ping: Int } type T @key(fields: "id") { id: ID! }',
    next: `type Query { ping: Int } type T @key(fields: "id") { id: ID! }\n${link}, import: ["@key"])`,
    findings: ['federation-version-changed dangerous schema 2'],
  },
  {
    title: 'the version of federation rises',
    old: `${link.replace('2.9', '2.3')}) type Query { ping: Int }`,
    next: `${link}) type Query { ping: Int }`,
    findings: ['federation-version-changed safe schema 1'],
  },
  { title: 'imports are renamed', old: federation2(types), next: renamed, findings: [] },
  { title: 'imports are ignored', old: renamed, next: namespaced, findings: [] },
  { title: 'the namespace changes', old: namespaced, next: otherNamespace, findings: [] },
  {
    title: 'a renamed key is removed',
    old: renamed,
    next: renamed.replace('@k(fields: "id")', ''),
    findings: ['key-removed breaking T 2'],
  },
  {
    title: 'a key with a namespace is narrowed',
    old: otherNamespace,
    next: otherNamespace.replace('fields: "id"', 'fields: "id", resolvable: false'),
    findings: ['key-not-resolvable breaking T 2'],
  },
  {
    title: 'the directives of the gateway come',
    old: federation2('type Query { ping: Int }'),
    next: withOwnDirectives('type Query { ping: Int }'),
    findings: ['compose-directive-added safe schema 3', 'compose-directive-added safe schema 3'],
  },
  {
    title: 'a directive is no longer composed',
    old: withOwnDirectives('type Query { ping: Int }'),
    next: withOwnDirectives('type Query { ping: Int }').replace('@composeDirective(name: "@cached")', ''),
    findings: ['compose-directive-removed dangerous schema 1'],
  },
  {
    title: 'root types are renamed',
    old: federation2('type Query { ping: Int a: Query } type Mutation { a: Int }'),
    next: federation2(
      'schema { query: Q mutation: M }\ntype Q { ping: Int\n a: Q b: Int } type M { a: Int }',
    ),
    findings: ['field-added safe Query.b 4'],
  },
];

describe('a change of a subgraph', () => {
  it.each(changeTable)('$title', async ({ old, next, findings: expected }) => {
    expect(await found(old, next)).toEqual([...expected].sort());
  });

  it.each(wholeTable)('$title', async ({ old, next, findings: expected }) => {
    expect(await found(old, next)).toEqual([...expected].sort());
  });

  it('is tested for every rule', () => {
    const shown = new Set(
      [...changeTable, ...wholeTable].flatMap((row) => row.findings.map((text) => text.split(' ')[0])),
    );
    // The tables have SDL only, and the URL is tested above.
    shown.add('subgraph-url-changed');
    // A finding about the baseline, not about a change.
    shown.delete('baseline-not-composed');
    expect([...shown].sort()).toEqual(Object.keys(ruleGroups.subgraph).sort());
  });

  it('has one of the severities that the rule table gives its rule', () => {
    const unexpected = [...changeTable, ...wholeTable]
      .flatMap((row) => row.findings.map((text) => text.split(' ')))
      .filter(([rule = '', severity = '']) => {
        return !isRuleId(rule) || ![ruleOf(rule).severity].flat().some((known) => known === severity);
      });
    expect(unexpected).toEqual([]);
  });

  it('that is no difference is none in the other direction either', async () => {
    const silent = changeTable.filter((row) => row.findings.length === 0);
    expect(silent.length).toBeGreaterThan(0);
    for (const { old, next } of silent) expect(await found(next, old)).toEqual([]);
  });
});

describe('a finding of diffSubgraph', () => {
  it.each([
    ['type Query { a: Int }', 'type Query { a: Int! }'],
    ['type Query { a(b: Int!): Int }', 'type Query { a(b: Int): Int }'],
    [
      'type Query { a(in: In): Int } input In { b: Int! }',
      'type Query { a(in: In): Int } input In { b: Int }',
    ],
  ])('has no advice against a compatible type: %s', async (old, next) => {
    const change = async (before: string, after: string) => {
      const [found] = await diffSubgraph(contractOf(federation2(before)), contractOf(federation2(after)));
      return [found?.severity, found?.advice];
    };
    expect(await change(old, next)).toEqual(['safe', ruleOf('field-added').advice]);
    expect(await change(next, old)).toEqual([
      'breaking',
      expect.stringMatching(/^Add an? .* of another name/),
    ]);
  });

  it('has message, location and advice', async () => {
    const old = contractOf(federation2('type Query { ping: Int }\ntype T @key(fields: "id") { id: ID! }'));
    const next = contractOf(federation2('type Query { ping: Int }\ntype T { id: ID! }'));
    expect(await diffSubgraph(old, next)).toEqual([
      {
        rule: 'key-removed',
        severity: 'breaking',
        message: 'T no longer has @key "id"',
        advice: ruleGroups.subgraph['key-removed'].advice,
        subgraph: 'products',
        coordinate: 'T',
        location: { file: 'contracts/schemas/products.graphql', line: 3, column: 6 },
      },
    ]);
  });

  it.each([
    ['@key(fields: "name org { code }")', '', 'T no longer has @key "name org { code }"'],
    ['', '@key(fields: "org {code}  name")', 'T has the new @key "org {code} name"'],
    [
      '@key(fields: "name org { code }")',
      '@key(fields: "org { code } name", resolvable: false)',
      'T can no longer be resolved by its @key "org { code } name"',
    ],
    ['@own(b: 2, a: 1)', '', 'T has none instead of @own(b: 2, a: 1)'],
  ])(
    'shows the directives of a type as their author wrote them: %s, then %s',
    async (before, after, message) => {
      const subgraph = (directives: string) =>
        contractOf(
          federation2(
            `directive @own(a: Int, b: Int) on OBJECT\ntype Query { ping: Int }\ntype T @key(fields: "id") ${directives} { id: ID! name: ID org: Org }\ntype Org { code: ID }`,
          ),
        );
      const findings = await diffSubgraph(subgraph(before), subgraph(after));
      expect(findings.map((finding) => finding.message)).toEqual([message]);
    },
  );

  it.each([
    ['', '@requires(fields: "org { code name }")', '@requires of T.f is new: "org { code name }"'],
    ['@requires(fields: "org { code name }")', '', '@requires of T.f is gone: "org { code name }"'],
    [
      '@requires(fields: "org { code }")',
      '@requires(fields: "w(unit: KG) org { name code }")',
      '@requires of T.f also selects "w(unit: KG) org { name }" now',
    ],
    [
      '@requires(fields: "any { ... on Org { code } } org { name code }")',
      '@requires(fields: "org { code }")',
      '@requires of T.f no longer selects "any { ... on Org { code } } org { name }"',
    ],
  ])('shows field sets as they are written in a directive: %s, then %s', async (before, after, message) => {
    const subgraph = (directives: string) =>
      contractOf(
        federation2(
          `type Query { ping: Int }\ntype T @key(fields: "id") { id: ID! w(unit: U): Int @external org: Org @external any: Any @external f: Int ${directives} all: Int @requires(fields: "w any { ... on Org { code } } org { code }") }\ntype Org { code: ID name: ID }\nunion Any = Org\nenum U { KG }`,
        ),
      );
    const findings = await diffSubgraph(subgraph(before), subgraph(after));
    expect(findings.map((finding) => finding.message)).toEqual([message]);
  });

  it('is located at the changed directive', async () => {
    const old = contractOf(federation2('type Query { ping: Int }'));
    const next = contractOf(federation2('type Query {\n  ping: Int\n    @inaccessible\n}'));
    const [finding] = await diffSubgraph(old, next);
    expect(finding?.location).toEqual({ file: 'contracts/schemas/products.graphql', line: 4, column: 5 });
  });
});
