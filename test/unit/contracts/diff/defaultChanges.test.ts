import { expect, test } from '@jest/globals';
import { diffSubgraph } from '../../../../contracts/diff/diffSubgraph.ts';
import { contractOf, federation2 } from './subgraphSdl.ts';

const argument = (input: string) => `type Query { list(${input}): Int }`;
const field = (input: string) => `type Query { list(in: In): Int } input In { ${input} }`;

test.each([
  ['first: Int = 5', 'first: Int', "lost its default value, '5'"],
  ['first: Int', 'first: Int = 5', "a default value now, '5'"],
])(
  'describeDefaultChange describes a default value that changes from %s to %s',
  async (before, after, words) => {
    expect(await messages(argument(before), argument(after))).toEqual([`Query.list(first:) has ${words}`]);
    expect(await messages(field(before), field(after))).toEqual([`In.first has ${words}`]);
  },
);

test('the message names both default values when both versions have one', async () => {
  expect(await messages(argument('first: Int = 5'), argument('first: Int = 6'))).toEqual([
    expect.stringMatching(/changed from '5' to '6'$/),
  ]);
});

test('the message has default values as the SDL writes them', async () => {
  const enums = (value: string) => `${argument(`sort: Sort = ${value}`)} enum Sort { NAME PRICE }`;
  expect(await messages(enums('NAME'), enums('PRICE'))).toEqual([
    "The default value of Query.list(sort:) changed from 'NAME' to 'PRICE'",
  ]);
  expect(await messages(field('words: [String!] = ["a"]'), field('words: [String!] = ["b"]'))).toEqual([
    `The default value of In.words changed from '["a"]' to '["b"]'`,
  ]);
});

test('a newly required input is reported once', async () => {
  expect(await messages(argument('first: Int = 5'), argument('first: Int!'))).toEqual([
    expect.stringMatching(/changed from 'Int' to 'Int!'$/),
  ]);
  expect(await messages(field('first: Int = 5'), field('first: Int!'))).toEqual([
    expect.stringMatching(/changed type from 'Int' to 'Int!'$/),
  ]);
  expect(await messages(argument('first: Int! = 5'), argument('first: Int!'))).toEqual([
    "Query.list(first:) has lost its default value, '5'",
  ]);
});

async function messages(before: string, after: string): Promise<readonly string[]> {
  const changes = await diffSubgraph(contractOf(federation2(before)), contractOf(federation2(after)));
  return changes.map(({ message }) => message);
}
