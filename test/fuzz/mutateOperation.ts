import { Lexer, Source, TokenKind } from 'graphql';
import type { Random } from '../../subgraphs/shared/random.ts';
import { oddNames } from './oddValues.ts';

const tokens = [
  ...oddNames,
  ...['{', '}', '(', ')', '[', ']', ':', '!', '=', '|', '&', '$', '@', '...', '#', ',', '\ufeff'],
  ...[
    '... @defer {',
    '... @defer(if: false) {',
    '... @defer(label: "a") {',
    '... @defer(if: $on) {',
    '@stream',
  ],
  ...['@skip(if: true)', '@include(if: $on)', '@include', '@defer', '@deprecated', '@constructor', '@key'],
  ...['... on Echo {', '... on Odd {', '... on constructor {', '...Part', '...__proto__', '... on Kind {'],
  ...[
    '1e999',
    '-',
    '01',
    '1.',
    '""',
    '"""',
    '"""x"""',
    '"\\u{110000}"',
    '"\\ud800"',
    '"😀"',
    '"\n"',
    '\u0000',
  ],
  ...['query', 'mutation', 'subscription', 'fragment', 'query Q', '$id', '$on', '$constructor', '$__proto__'],
  ...[
    'constructor: id',
    '__proto__: text',
    'toString: note',
    '__typename: note',
    '__schema { queryType { name } }',
  ],
  ...['__type(name: "constructor") { name }', 'type Query { a: Int }', 'extend schema @link(url: "x")'],
];

/** Removes, repeats, swaps or replaces one to four tokens of an operation. The result is mostly invalid, and often almost
 *  valid. */
export function mutateOperation(random: Random, text: string): string {
  const parts = tokenTexts(text);
  for (let left = random.integer(1, 4); left > 0; left--) {
    const at = random.integer(0, parts.length - 1);
    const other = random.integer(0, parts.length - 1);
    switch (random.integer(0, 4)) {
      case 0:
        parts.splice(at, 1);
        break;
      case 1:
        parts.splice(at, 0, parts[at] as string);
        break;
      case 2:
        [parts[at], parts[other]] = [parts[other] as string, parts[at] as string];
        break;
      case 3:
        parts[at] = random.pick(tokens);
        break;
      default:
        parts.splice(at, 0, random.pick(tokens));
    }
    if (parts.length === 0) break;
  }
  return parts.join(' ');
}

function tokenTexts(text: string): string[] {
  const lexer = new Lexer(new Source(text));
  const parts: string[] = [];
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    parts.push(text.slice(token.start, token.end));
  }
  return parts;
}
