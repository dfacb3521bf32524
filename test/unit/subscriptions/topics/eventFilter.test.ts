import { expect, test } from '@jest/globals';
import { buildSchema, type FieldNode, type OperationDefinitionNode, parse } from 'graphql';
import { createEventFilter } from '../../../../gateway/subscriptions/topics/eventFilter.ts';
import type { RootField } from '../../../../gateway/subscriptions/topics/rootField.ts';

test('an input object without a field that Object.prototype has filters by its own fields', () => {
  const schema = buildSchema(`
    type Query { ping: Int }
    input Race { constructor: String id: ID }
    type Subscription { finished(race: Race): Int }
  `);
  const operation = parse('subscription ($race: Race) { finished(race: $race) }')
    .definitions[0] as OperationDefinitionNode;
  const node = operation.selectionSet.selections[0] as FieldNode;
  const field = { node, step: { shape: { document: operation } } } as unknown as RootField;
  const accepts = createEventFilter({ race: 'of' }, field, schema, { race: { id: '1' } });
  expect([{ of: { id: 1 } }, { of: { id: 2 } }].map(accepts)).toEqual([true, false]);
});
