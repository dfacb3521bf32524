import { ChangeType } from '@graphql-inspector/core';
import { expect, test } from '@jest/globals';
import { changeRules } from '../../../../contracts/diff/changeRules.ts';

test('every kind of change that GraphQL Inspector reports has a rule or a reason to have none', () => {
  expect(Object.keys(changeRules).sort()).toEqual(Object.values(ChangeType).sort());
});
