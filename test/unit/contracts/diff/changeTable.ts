import { federation2, withOwnDirectives } from './subgraphSdl.ts';

/** A change of a subgraph and all expected findings: `rule severity coordinate line`, with lines of `next` from 1. */
export interface ChangeRow {
  readonly title: string;
  readonly old: string;
  readonly next: string;
  readonly findings: readonly string[];
}

type Row = readonly [title: string, old: string, next: string, ...findings: string[]];

const query = 'type Query { ping: Int }';

/** Types without directives. */
const schemaRows: readonly Row[] = [
  ['a type is added', query, `${query}\ntype T { a: Int b(x: Int): Int }`, 'type-added safe T 3'],
  ['a type is removed', `${query} type T { a: Int }`, query, 'type-removed breaking T 1'],
  [
    'a hidden type is removed',
    `${query} type T @inaccessible { a: Int }`,
    query,
    'type-removed dangerous T 1',
  ],
  ['a kind changes', `${query} scalar T`, `${query}\ntype T { a: Int }`, 'type-kind-changed breaking T 3'],
  ['a field is added', query, 'type Query { ping: Int\n a(x: Int!): Int }', 'field-added safe Query.a 3'],
  ['a field is removed', 'type Query { ping: Int a: Int }', query, 'field-removed breaking Query.a 2'],
  [
    'a hidden field is removed',
    'type Query { ping: Int a: Int @inaccessible }',
    query,
    'field-removed dangerous Query.a 2',
  ],
  [
    'a type becomes nullable',
    'type Query { a: Int! }',
    'type Query { a: Int }',
    'field-type-changed breaking Query.a 2',
  ],
  [
    'a type becomes non-null',
    'type Query { a: Int }',
    'type Query { a: Int! }',
    'field-type-changed safe Query.a 2',
  ],
  [
    'a nullable argument is added',
    query,
    'type Query { ping(\n a: Int): Int }',
    'argument-added safe Query.ping(a:) 3',
  ],
  [
    'a required argument is added',
    query,
    'type Query { ping(a: Int!): Int }',
    'argument-added breaking Query.ping(a:) 2',
  ],
  [
    'an argument is removed',
    'type Query { ping(a: Int): Int }',
    query,
    'argument-removed breaking Query.ping(a:) 2',
  ],
  [
    'an argument becomes non-null',
    'type Query { ping(a: Int): Int }',
    'type Query { ping(a: Int!): Int }',
    'argument-type-changed breaking Query.ping(a:) 2',
  ],
  [
    'an argument becomes nullable',
    'type Query { ping(a: Int!): Int }',
    'type Query { ping(a: Int): Int }',
    'argument-type-changed safe Query.ping(a:) 2',
  ],
  [
    'a default changes',
    'type Query { ping(a: Int = 1): Int }',
    'type Query { ping(a: Int = 2): Int }',
    'argument-default-changed dangerous Query.ping(a:) 2',
  ],
  ...inputRows('', 'b: Int', 'input-field-added safe I.b 3'),
  ...inputRows('', 'b: Int!', 'input-field-added breaking I.b 3'),
  ...inputRows('', 'b: Int! = 1', 'input-field-added dangerous I.b 3'),
  ...inputRows('b: Int', '', 'input-field-removed breaking I.b 3'),
  ...inputRows('b: Int @inaccessible', '', 'input-field-removed dangerous I.b 3'),
  ...inputRows('b: Int', 'b: Int!', 'input-field-type-changed breaking I.b 3'),
  ...inputRows('b: Int = 1', 'b: Int = 2', 'input-field-default-changed dangerous I.b 3'),
  [
    'a value that clients may get is added',
    'type Query { a: E } enum E { A }',
    'type Query { a: E }\nenum E { A\n B }',
    'enum-value-added dangerous E.B 4',
  ],
  [
    'a value that clients may give is added',
    'type Query { ping(a: E): Int } enum E { A }',
    'type Query { ping(a: E): Int } enum E { A B }',
    'enum-value-added safe E.B 2',
  ],
  [
    'a value that clients may give is removed',
    'type Query { ping(a: E): Int } enum E { A B }',
    'type Query { ping(a: E): Int } enum E { A }',
    'enum-value-removed breaking E.B 2',
  ],
  [
    'a value that clients only get is removed',
    'type Query { a: E } enum E { A B }',
    'type Query { a: E } enum E { A }',
    'enum-value-removed dangerous E.B 2',
  ],
  [
    'union members come and go',
    'type Query { a: U } type A { a: Int } type B { a: Int } type C { a: Int } union U = A | B',
    'type Query { a: U } type A { a: Int } type B { a: Int } type C { a: Int }\nunion U = A | C',
    'union-member-removed breaking U 3',
    'union-member-added dangerous U 3',
  ],
  [
    'interfaces come and go',
    'type Query { a: I b: J } interface I { a: Int } interface J { a: Int } type T implements I { a: Int }',
    'type Query { a: I b: J } interface I { a: Int } interface J { a: Int }\ntype T implements J { a: Int }',
    'interface-added dangerous T 3',
    'interface-removed breaking T 3',
  ],
  [
    'a root type is removed',
    `${query} type Mutation { a: Int }`,
    query,
    'mutation-type-changed breaking Mutation 1',
  ],
  [
    'a root type is added',
    query,
    `${query}\ntype Subscription { a: Int }`,
    'subscription-type-changed safe Subscription 3',
  ],
  [
    'the root type of queries is replaced by the one that federation adds',
    `${query} type T { a: Int }`,
    'type T { a: Int }',
    'field-removed breaking Query.ping 1',
  ],
  [
    'an operation directive is removed',
    `${query} directive @d(a: Int) on FIELD`,
    query,
    'directive-removed breaking @d 1',
  ],
  ['a schema directive is removed', `${query} directive @d on OBJECT`, query, 'directive-removed safe @d 1'],
  ['a directive is added', query, `${query}\ndirective @d(a: Int) on FIELD`, 'directive-added safe @d 3'],
  [
    'a directive changes',
    `${query} directive @d(a: Int, b: Int = 1, c: Int) repeatable on FIELD | QUERY`,
    `${query}\ndirective @d(b: Int = 2, c: String,\n d: Int!) on FIELD | MUTATION`,
    'directive-argument-added breaking @d 3',
    'directive-argument-default-changed dangerous @d(b:) 3',
    'directive-argument-removed breaking @d(a:) 3',
    'directive-argument-type-changed breaking @d(c:) 3',
    'directive-location-added safe @d 3',
    'directive-location-removed breaking @d 3',
    'directive-repeatable-removed dangerous @d 3',
  ],
  [
    'a directive can be repeated',
    `${query} directive @d on FIELD`,
    `${query} directive @d repeatable on FIELD`,
    'directive-repeatable-added safe @d 2',
  ],
  [
    'deprecations come and go',
    'type Query { a: Int b(x: Int): Int @deprecated c: Int @deprecated(reason: "old") e: E } enum E { A B @deprecated }',
    'type Query { a: Int @deprecated(reason: "use b")\n b(x: Int @deprecated): Int c: Int @deprecated(reason: "older") e: E }\nenum E { A B }',
    'deprecation-added safe Query.a 2',
    'deprecation-added safe Query.b(x:) 3',
    'deprecation-reason-changed safe Query.c 3',
    'deprecation-removed safe E.B 4',
    'deprecation-removed safe Query.b 3',
  ],
];

function inputRows(before: string, after: string, finding: string): readonly Row[] {
  const sdl = (field: string): string => `type Query { ping(i: I): Int }\ninput I { a: Int ${field} }`;
  return [[`an input field "${before}" becomes "${after}"`, sdl(before), sdl(after), finding]];
}

const entity = (keys: string, fields = ''): string =>
  `${query}\ntype T ${keys} {\n id: ID! sku: ID! ${fields} }`;

/** Federation directives. */
const federationRows: readonly Row[] = [
  [
    'a key is added',
    entity('@key(fields: "id")'),
    entity('@key(fields: "id")\n@key(fields: "sku")'),
    'key-added safe T 4',
  ],
  [
    'a second key is removed',
    entity('@key(fields: "id") @key(fields: "sku")'),
    entity('@key(fields: "id")'),
    'key-removed dangerous T 3',
  ],
  ['the last key is removed', entity('@key(fields: "id")'), entity(''), 'key-removed breaking T 3'],
  [
    'only a key for references is left',
    entity('@key(fields: "id") @key(fields: "sku", resolvable: false)'),
    entity('@key(fields: "sku", resolvable: false)'),
    'key-removed breaking T 3',
  ],
  [
    'a key for references is removed',
    entity('@key(fields: "sku", resolvable: false)'),
    entity(''),
    'key-removed dangerous T 3',
  ],
  [
    'a key is written in another way',
    entity('@key(fields: "id sku") @key(fields: "id")'),
    entity('@key(fields: "id") @key(resolvable: true, fields: " sku,id ")'),
  ],
  [
    'a key changes',
    entity('@key(fields: "id")'),
    entity('@key(fields: "id sku")'),
    'key-added safe T 3',
    'key-removed dangerous T 3',
  ],
  [
    'a key is no longer resolvable',
    entity('@key(fields: "id")'),
    entity('@key(fields: "id", resolvable: false)'),
    'key-not-resolvable breaking T 3',
  ],
  [
    'one of two keys is no longer resolvable',
    entity('@key(fields: "id") @key(fields: "sku")'),
    entity('@key(fields: "id") @key(fields: "sku", resolvable: false)'),
    'key-not-resolvable dangerous T 3',
  ],
  [
    'a key becomes resolvable',
    entity('@key(fields: "id", resolvable: false)'),
    entity('@key(fields: "id", resolvable: true)'),
    'key-resolvable safe T 3',
  ],
  ...requiresRows('', '@requires(fields: "a")', 'requires-added dangerous T.r 5'),
  ...requiresRows('@requires(fields: "a")', '@requires(fields: "b a")', 'requires-widened dangerous T.r 5'),
  ...requiresRows('@requires(fields: "a b")', '@requires(fields: "a")', 'requires-narrowed safe T.r 5'),
  ...requiresRows('@requires(fields: "a")', '', 'requires-removed safe T.r 5'),
  ...requiresRows(
    '@requires(fields: "a c { x }")',
    '@requires(fields: "b c { y }")',
    'requires-narrowed safe T.r 5',
    'requires-widened dangerous T.r 5',
  ),
  [
    '@requires goes with what it needed',
    entity('@key(fields: "id")', 'a: Int @external r: Int @requires(fields: "a")'),
    entity('@key(fields: "id")', 'r: Int'),
    'external-field-removed safe T.a 3',
    'requires-removed safe T.r 4',
  ],
  [
    '@requires comes with what it needs',
    entity('@key(fields: "id")', 'r: Int'),
    entity('@key(fields: "id")', 'a: Int @external\n r: Int @requires(fields: "a")'),
    'external-field-added safe T.a 4',
    'requires-added dangerous T.r 5',
  ],
  ...providesRows('', '@provides(fields: "a")', 'provides-added safe Query.t 2'),
  ...providesRows('@provides(fields: "a")', '@provides(fields: "a b")', 'provides-widened safe Query.t 2'),
  ...providesRows(
    '@provides(fields: "a b")',
    '@provides(fields: "a")',
    'provides-narrowed dangerous Query.t 2',
  ),
  ...providesRows('@provides(fields: "a")', '', 'provides-removed dangerous Query.t 2'),
  ...fieldRows('', '@override(from: "other")', 'override-added safe T.f 4'),
  ...fieldRows('@override(from: "other")', '', 'override-removed dangerous T.f 4'),
  ...fieldRows('@override(from: "a")', '@override(from: "b")', 'override-from-changed dangerous T.f 4'),
  ...fieldRows(
    '@override(from: "a")',
    '@override(from: "a", label: "percent(5)")',
    'override-label-added dangerous T.f 4',
  ),
  ...fieldRows(
    '@override(from: "a", label: "percent(5)")',
    '@override(from: "a", label: "percent(50)")',
    'override-label-changed safe T.f 4',
  ),
  ...fieldRows(
    '@override(from: "a", label: "percent(5)")',
    '@override(from: "a")',
    'override-label-removed safe T.f 4',
  ),
  [
    'a field is taken over',
    entity('@key(fields: "id")'),
    entity('@key(fields: "id")', '\nf: Int @override(from: "other", label: "percent(5)")'),
    'field-added safe T.f 5',
    'override-added safe T.f 5',
  ],
  ...fieldRows('', '@shareable', 'shareable-added safe T.f 4'),
  ...fieldRows('@shareable', '', 'shareable-removed dangerous T.f 4'),
  [
    '@shareable of a type is that of its fields',
    `${query} type T @shareable { a: Int b: Int }`,
    `${query} type T { a: Int @shareable b: Int }`,
    'shareable-removed dangerous T.b 2',
  ],
  [
    'a field is left to others and required from them',
    entity('@key(fields: "id")', 'f: Int r: Int'),
    entity('@key(fields: "id")', 'f: Int @external r: Int @requires(fields: "f")'),
    'external-added breaking T.f 4',
    'requires-added dangerous T.r 4',
  ],
  [
    'a field is served instead of required',
    entity('@key(fields: "id")', 'f: Int @external r: Int @requires(fields: "f")'),
    entity('@key(fields: "id")', 'f: Int r: Int'),
    'external-removed safe T.f 4',
    'requires-removed safe T.r 4',
  ],
  [
    'a field of a key is external',
    `${query} type T @key(fields: "id") { id: ID! a: Int }`,
    `${query} extend type T @key(fields: "id") { id: ID! @external a: Int }`,
    'external-added dangerous T.id 2',
  ],
  [
    'an external field has another type',
    entity('@key(fields: "id")', 'a: Int! @external r: Int @requires(fields: "a")'),
    entity('@key(fields: "id")', 'a: Int @external r: Int @requires(fields: "a")'),
    'external-field-type-changed safe T.a 4',
  ],
  ...fieldRows('', '@inaccessible', 'inaccessible-added breaking T.f 4'),
  ...fieldRows('@inaccessible', '', 'inaccessible-removed safe T.f 4'),
  [
    'what is new is hidden',
    'type Query { ping(a: Int): Int }',
    'type Query { ping(a: Int\n b: Int @inaccessible): Int }',
    'argument-added safe Query.ping(b:) 3',
    'inaccessible-added safe Query.ping(b:) 3',
  ],
  [
    'an input type becomes a @oneOf type',
    `${query} input I { a: Int b: Int }`,
    `${query} input I\n@oneOf { a: Int b: Int }`,
    'one-of-added breaking I 3',
  ],
  [
    'an input type is no longer a @oneOf type',
    `${query} directive @oneOf on INPUT_OBJECT input I @oneOf { a: Int b: Int }`,
    `${query}\ninput I { a: Int b: Int }`,
    'one-of-removed safe I 3',
  ],
  ['a @oneOf type is added', query, `${query}\ninput I @oneOf { a: Int b: Int }`, 'type-added safe I 3'],
  [
    'the definition of @oneOf is removed',
    `${query} directive @oneOf on INPUT_OBJECT input I @oneOf { a: Int b: Int }`,
    `${query} input I @oneOf { a: Int b: Int }`,
  ],
  ...fieldRows('', '@authenticated', 'authenticated-added breaking T.f 4'),
  ...fieldRows('@authenticated', '', 'authenticated-removed dangerous T.f 4'),
  [
    'a new field is protected',
    entity(''),
    entity('', 'f: Int @authenticated'),
    'authenticated-added dangerous T.f 4',
    'field-added safe T.f 4',
  ],
  ...fieldRows('', '@requiresScopes(scopes: [["a"]])', 'requires-scopes-added breaking T.f 4'),
  ...fieldRows('@requiresScopes(scopes: [["a"]])', '', 'requires-scopes-removed dangerous T.f 4'),
  ...fieldRows(
    '@requiresScopes(scopes: [["a"]])',
    '@requiresScopes(scopes: [["a", "b"]])',
    'requires-scopes-changed breaking T.f 4',
  ),
  ...fieldRows(
    '@requiresScopes(scopes: [["a"]])',
    '@requiresScopes(scopes: [["b"], ["a"]])',
    'requires-scopes-changed dangerous T.f 4',
  ),
  ...fieldRows(
    '@requiresScopes(scopes: [["a", "b"], ["c"]])',
    '@requiresScopes(scopes: [["c"], ["b", "a"]])',
  ),
  ...fieldRows('', '@policy(policies: [["a"]])', 'policy-added breaking T.f 4'),
  ...fieldRows('@policy(policies: [["a"]])', '', 'policy-removed dangerous T.f 4'),
  ...fieldRows('@policy(policies: [["a"]])', '@policy(policies: [["b"]])', 'policy-changed breaking T.f 4'),
  ...fieldRows('', '@cost(weight: 5)', 'cost-raised dangerous T.f 4'),
  ...fieldRows('', '@cost(weight: 0)'),
  ...fieldRows('@cost(weight: 5)', '@cost(weight: 2)', 'cost-lowered safe T.f 4'),
  ['objects cost 1', entity('@cost(weight: 2)'), entity('@cost(weight: 1)'), 'cost-lowered safe T 3'],
  ['objects cost 1 without @cost', entity('@cost(weight: 1)'), entity('')],
  ...listRows('', '@listSize(assumedSize: 5)', 'list-size-added dangerous Query.l 2'),
  ...listRows('@listSize(assumedSize: 5)', '', 'list-size-removed dangerous Query.l 2'),
  ...listRows(
    '@listSize(assumedSize: 5)',
    '@listSize(assumedSize: 9)',
    'list-size-raised dangerous Query.l 2',
  ),
  ...listRows('@listSize(assumedSize: 5)', '@listSize(assumedSize: 2)', 'list-size-lowered safe Query.l 2'),
  ...listRows(
    '@listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)',
    '@listSize(slicingArguments: ["first"])',
    'list-size-changed dangerous Query.l 2',
  ),
  ...listRows(
    '@listSize(slicingArguments: ["first"], requireOneSlicingArgument: true)',
    '@listSize(slicingArguments: ["first"])',
  ),
  ...fieldRows(
    '@tag(name: "a") @tag(name: "b")',
    '@tag(name: "b") @tag(name: "c")',
    'tag-added safe T.f 4',
    'tag-removed safe T.f 4',
  ),
  ['a context is added', entity(''), entity('@context(name: "c")'), 'context-added safe T 3'],
  ['a context is removed', entity('@context(name: "c")'), entity(''), 'context-removed dangerous T 3'],
  ...contextRows('', 'x: Int @fromContext(field: "$c { a }")', 'from-context-added dangerous U.f(x:) 4'),
  ...contextRows('x: Int', 'x: Int @fromContext(field: "$c { a }")', 'from-context-added breaking U.f(x:) 4'),
  ...contextRows(
    'x: Int @fromContext(field: "$c { a }")',
    'x: Int',
    'from-context-removed dangerous U.f(x:) 4',
  ),
  ...contextRows(
    'x: Int @fromContext(field: "$c { a }")',
    'x: Int!',
    'argument-type-changed breaking U.f(x:) 4',
    'from-context-removed breaking U.f(x:) 4',
  ),
  ...contextRows('x: Int @fromContext(field: "$c { a }")', '', 'from-context-removed dangerous U.f(x:) 4'),
  ...contextRows(
    'x: Int @fromContext(field: "$c { a }")',
    'x: Int @fromContext(field: "$c { b }")',
    'from-context-changed dangerous U.f(x:) 4',
  ),
  ...contextRows('x: Int @fromContext(field: "$c { a }")', 'x: Int @fromContext(field: "$c {a}")'),
  [
    'an interface becomes an object',
    `${query} interface T @key(fields: "id") { id: ID! } type A implements T @key(fields: "id") { id: ID! }`,
    `${query} type T @key(fields: "id") @interfaceObject { id: ID! }`,
    'interface-object-added dangerous T 2',
    'type-removed breaking A 1',
  ],
  [
    'an object becomes an interface',
    `${query} type T @key(fields: "id") @interfaceObject { id: ID! a: Int }`,
    `${query} interface T @key(fields: "id") { id: ID! } type A implements T @key(fields: "id") { id: ID! }`,
    'field-removed breaking T.a 2',
    'interface-object-removed dangerous T 2',
    'type-added safe A 2',
  ],
  [
    'an object stands for an interface',
    entity('@key(fields: "id")'),
    entity('@key(fields: "id") @interfaceObject'),
    'interface-object-added dangerous T 3',
  ],
  [
    'an object no longer stands for an interface',
    entity('@key(fields: "id") @interfaceObject'),
    entity('@key(fields: "id")'),
    'interface-object-removed breaking T 3',
  ],
  ...fieldRows('@own(a: 1) @own(a: 2)', '@own(a: 2) @own(a: 1)'),
  ...fieldRows('', '@own(a: 1)', 'custom-directive-added safe T.f 4'),
  ...fieldRows('@own(a: 1)', '', 'custom-directive-removed safe T.f 4'),
  ...fieldRows('@own(a: 1)', '@own(a: 2)', 'custom-directive-changed safe T.f 4'),
];

function requiresRows(before: string, after: string, ...findings: string[]): readonly Row[] {
  const sdl = (directive: string): string =>
    entity(
      '@key(fields: "id")',
      `a: Int @external b: Int @external c: C @external\n r: Int ${directive} }
type C { x: Int @external y: Int @external`,
    );
  // Composition refuses external fields that nothing uses.
  const used = 'u: Int @requires(fields: "a b c { x y }")';
  const whole = (directive: string): string => sdl(`${directive} ${used}`);
  return [[`@requires "${before}" becomes "${after}"`, whole(before), whole(after), ...findings]];
}

function providesRows(before: string, after: string, ...findings: string[]): readonly Row[] {
  const sdl = (directive: string): string =>
    `type Query { t: T ${directive} u: T @provides(fields: "a b") }
type T @key(fields: "id") { id: ID! a: Int @external b: Int @external }`;
  return [[`@provides "${before}" becomes "${after}"`, sdl(before), sdl(after), ...findings]];
}

function fieldRows(before: string, after: string, ...findings: string[]): readonly Row[] {
  const sdl = (directive: string): string =>
    `${entity('@key(fields: "id")', `f: Int ${directive}`)}
directive @own(a: Int) repeatable on FIELD_DEFINITION`;
  return [[`a field with "${before}" gets "${after}"`, sdl(before), sdl(after), ...findings]];
}

function listRows(before: string, after: string, ...findings: string[]): readonly Row[] {
  const sdl = (directive: string): string => `type Query { l(first: Int): [Int] ${directive} }`;
  return [[`a list with "${before}" gets "${after}"`, sdl(before), sdl(after), ...findings]];
}

function contextRows(before: string, after: string, ...findings: string[]): readonly Row[] {
  const sdl = (argument: string): string => `type Query { t: T }
type T @key(fields: "id") @context(name: "c") { id: ID! a: Int b: Int u: U }
type U @key(fields: "id") { id: ID! f(y: Int ${argument}): Int }`;
  return [[`an argument "${before}" becomes "${after}"`, sdl(before), sdl(after), ...findings]];
}

/** The gateway's own directives, on a type and on its field. */
const ownRows: readonly Row[] = [
  ...cacheRows('', '@cached(maxAge: "1m")', 'cached-added dangerous T.f 4'),
  ...cacheRows('', '@cached(maxAge: "1m", scope: PRIVATE)', 'cached-added safe T.f 4'),
  ...cacheRows('@cached(maxAge: "1m")', '', 'cached-removed safe T.f 4'),
  ...cacheRows('@cached(maxAge: "60s")', '@cached(maxAge: "1m", scope: PUBLIC)'),
  ...cacheRows('@cached(maxAge: "1m")', '@cached(maxAge: "2m")', 'cached-max-age-raised dangerous T.f 4'),
  ...cacheRows('@cached(maxAge: "1m")', '@cached(maxAge: "1s")', 'cached-max-age-lowered safe T.f 4'),
  ...cacheRows(
    '@cached(maxAge: "1m", staleIfError: "1m")',
    '@cached(maxAge: "1m", staleWhileRevalidate: "5s")',
    'cached-stale-lowered safe T.f 4',
    'cached-stale-raised dangerous T.f 4',
  ),
  ...cacheRows(
    '@cached(maxAge: "1m", scope: PRIVATE)',
    '@cached(maxAge: "1m")',
    'cached-made-public breaking T.f 4',
  ),
  ...cacheRows(
    '@cached(maxAge: "1m", scope: PUBLIC)',
    '@cached(maxAge: "1m", scope: PRIVATE)',
    'cached-made-private safe T.f 4',
  ),
  ...cacheRows(
    '@cached(maxAge: "1m", tags: ["a"])',
    '@cached(maxAge: "1m", tags: ["b"])',
    'cached-tags-changed dangerous T.f 4',
  ),
  ...cacheRows(
    '@cached(maxAge: "1m", tags: ["a"])',
    '@cached(maxAge: "1m", tags: ["b", "a"])',
    'cached-tags-changed safe T.f 4',
  ),
  ...cacheRows('@cached(maxAge: "1m")', '@cached(maxAge: "soon")', 'cached-invalid breaking T.f 4'),
  [
    'a private type has a public field',
    `${query}\ntype T @cached(maxAge: "1m", scope: PRIVATE) { a: Int b: Int @cached(maxAge: "1s") }`,
    `${query}\ntype T @cached(maxAge: "1m") { a: Int b: Int @cached(maxAge: "1s") }`,
    'cached-made-public breaking T 3',
  ],
  [
    'a field loses its own rule',
    `${query}\ntype T @cached(maxAge: "1m") {\n a: Int\n b: Int @cached(maxAge: "1s", scope: PRIVATE) }`,
    `${query}\ntype T @cached(maxAge: "1m") {\n a: Int\n b: Int }`,
    'cached-made-public breaking T.b 5',
    'cached-removed safe T.b 5',
  ],
  ...cacheRows('', '@enrichment', 'enrichment-added dangerous T.f 4'),
  ...cacheRows('@enrichment(budget: "50ms")', '', 'enrichment-removed dangerous T.f 4'),
  ...cacheRows('@enrichment(budget: "50ms")', '@enrichment(budget: "0.05s", priority: NORMAL)'),
  ...cacheRows('@enrichment', '@enrichment(budget: "50ms")', 'enrichment-changed safe T.f 4'),
  ...cacheRows('@enrichment', '@enrichment(priority: CRITICAL)', 'enrichment-changed safe T.f 4'),
  ...cacheRows('@enrichment', '@enrichment(budget: "some")', 'enrichment-invalid breaking T.f 4'),
];

function cacheRows(before: string, after: string, ...findings: string[]): readonly Row[] {
  const sdl = (directive: string): string => `${query}\ntype T {\n f: Int ${directive} }`;
  return [[`a field with "${before}" gets "${after}"`, sdl(before), sdl(after), ...findings]];
}

const rowsOf = (rows: readonly Row[], whole: (types: string) => string): readonly ChangeRow[] =>
  rows.map(([title, old, next, ...findings]) => ({ title, old: whole(old), next: whole(next), findings }));

export const changeTable: readonly ChangeRow[] = [
  ...rowsOf(schemaRows, federation2),
  ...rowsOf(federationRows, federation2),
  ...rowsOf(ownRows, withOwnDirectives),
];
