import type { Random } from '../../subgraphs/shared/random.ts';

const repeat = (count: number, textOf: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => textOf(index)).join(' ');

/** Short operations that take long to process. Most exceed a limit by a little or a lot. */
const kinds: Readonly<Record<string, (size: number, random: Random) => string>> = {
  aliases: (size) => `{ ${repeat(size, (i) => `a${i}: echo(id: "1") { id }`)} }`,
  'aliases below': (size) => `{ echo(id: "1") { ${repeat(size, (i) => `a${i}: friends { id note }`)} } }`,
  'equal fields': (size) => `{ echo(id: "1") { ${repeat(size, () => 'id')} } }`,
  'equal objects': (size) => `{ echo(id: "1") { ${repeat(size, () => 'friends { id }')} } }`,
  depth: (size) => `{ echo(id: "1") { ${'self { '.repeat(size)} id ${' }'.repeat(size)} } }`,
  'depth of fragments': (size) => `{ echo(id: "1") { ${'... { '.repeat(size)} id ${' }'.repeat(size)} } }`,
  'depth of lists': (size) => `{ find(any: ${'['.repeat(size)}1${']'.repeat(size)}) { __typename } }`,
  'depth of objects': (size) => `{ find(any: ${'{a: '.repeat(size)}1${'}'.repeat(size)}) { __typename } }`,
  'a long text in a fragment': (size) =>
    `{ ${repeat(Math.min(size, 40), (i) => `a${i}: echo(id: "1") { ...F }`)} } fragment F on Echo { friends(first: 1) { ${'b'.repeat(size * 50)}: id } }`,
  'depth of types': (size) =>
    `query ($a: ${'['.repeat(size)}Int${']'.repeat(size)}) { find(any: $a) { __typename } }`,
  'fan-out of fragments': (size) => {
    const levels = Math.min(40, 2 + Math.floor(size / 20));
    const fragments = repeat(levels, (i) => `fragment F${i} on Echo { ...F${i + 1} self { ...F${i + 1} } }`);
    return `{ echo(id: "1") { ...F0 } } ${fragments} fragment F${levels} on Echo { id }`;
  },
  'cycle of fragments': (size) =>
    `{ echo(id: "1") { ...F0 } } ${repeat(size, (i) => `fragment F${i} on Echo { self { ...F${(i + 1) % size} } }`)}`,
  'many fragments': (size) =>
    `{ echo(id: "1") { ${repeat(size, (i) => `...F${i}`)} } } ${repeat(size, (i) => `fragment F${i} on Echo { f${i}: id }`)}`,
  'unused fragments': (size) =>
    `{ echo(id: "1") { id } } ${repeat(size, (i) => `fragment F${i} on Echo { id }`)}`,
  'many operations': (size) => repeat(size, (i) => `query Q${i} { echo(id: "${i}") { id } }`),
  defers: (size) => `{ echo(id: "1") { ${repeat(size, (i) => `... @defer { d${i}: note }`)} } }`,
  'nested defers': (size) =>
    `{ echo(id: "1") { ${'... @defer { id self { '.repeat(size)} note ${' } }'.repeat(size)} } }`,
  'labelled defers': (size, random) =>
    `{ echo(id: "1") { ${repeat(size, (i) => `... @defer(label: "${random.integer(0, size)}") { d${i}: note }`)} } }`,
  directives: (size) => `{ echo(id: "1") { id ${repeat(size, () => '@include(if: true)')} } }`,
  'conditions on variables': (size) =>
    `query (${repeat(size, (i) => `$v${i}: Boolean = true`)}) { echo(id: "1") { ${repeat(size, (i) => `a${i}: id @include(if: $v${i}) ... @skip(if: $v${i}) { note }`)} } }`,
  variables: (size) => `query (${repeat(size, (i) => `$v${i}: Int`)}) { echo(id: "1") { id } }`,
  'unknown variables': (size) => `{ find(any: [${repeat(size, (i) => `$v${i}`)}]) { __typename } }`,
  'unknown fields': (size) => `{ ${repeat(size, (i) => `unknown${i}`)} }`,
  'a long list': (size) => `{ find(any: [${repeat(size * 10, String)}]) { __typename } }`,
  'a long text': (size) => `{ echo(id: "${'é'.repeat(size * 100)}") { id note } }`,
  'a long name': (size) => `{ echo(id: "1") { ${'a'.repeat(size * 100)}: id } }`,
  'a long comment': (size) => `# ${'x'.repeat(size * 100)}\n{ echo(id: "1") { id } }`,
  'conflicting fields': (size) =>
    `{ echo(id: "1") { ${repeat(size, (i) => `friends(first: ${i}) { id }`)} } }`,
  'types of an interface': (size) =>
    `{ node(id: "1") { ${repeat(size, (i) => `... on Echo { e${i}: note } ... on Odd { o${i}: id }`)} } }`,
};

export function createHeavyOperation(random: Random): { readonly name: string; readonly text: string } {
  const name = random.pick(Object.keys(kinds));
  const size = random.pick([2, 10, 30, 49, 51, 99, 101, 199, 201, 400, 900, 1_500]);
  return { name: `${name} × ${size}`, text: (kinds[name] as (typeof kinds)[string])(size, random) };
}
