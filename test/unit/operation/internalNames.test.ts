import { expect, test } from '@jest/globals';
import { type FieldNode, Kind, parse } from 'graphql';
import { InternalNames } from '../../../gateway/operation/internalNames.ts';
import { readSupergraphNames } from '../../../gateway/planning/supergraphNames.ts';

const joinField = (...selections: string[]): string =>
  `@join__field(graph: A, contextArguments: [${selections
    .map(
      (selection) => `{ context: "a__u", name: "p", type: "Int", selection: ${JSON.stringify(selection)} }`,
    )
    .join()}])`;

const names = new InternalNames(
  readSupergraphNames(
    parse(`type User { price(in: String): Int size(unit: String): Int area: Int other(a: Int): Int }
    type Item {
      a: Int ${joinField(' { price(in: "USD") }', '... on User { size(unit: "m") } ... on Team { area }')}
      b: Int ${joinField('{ price }')}
    }`),
  ),
);

test.each([
  ['price', false],
  ['price(in: "USD")', false],
  ['price(in: "EUR")', false],
  ['size', false],
  ['size(unit: "m")', true],
  ['area', true],
  ['other(a: 1)', true],
])('beside @fromContext, %s keeps its name: %j', (text, isKept) => {
  const [operation] = parse(`{ ${text} }`, { noLocation: true }).definitions;
  const [field] = operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet.selections : [];
  const { name } = field as FieldNode;
  expect(names.forOperation()(name.value, field as FieldNode) === name.value).toBe(isKept);
});
