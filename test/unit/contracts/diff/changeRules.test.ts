import { ChangeType } from '@graphql-inspector/core';
import { describe, expect, it } from '@jest/globals';
import { changeRules } from '../../../../contracts/diff/changeRules.ts';
import { diffRules } from '../../../../contracts/diff/diffRules.ts';

describe('the rules for kinds of changes', () => {
  it('are there for every kind that the library has, and for no other', () => {
    expect(Object.keys(changeRules).sort()).toEqual(Object.values(ChangeType).sort());
  });

  it('are rules of the diff', () => {
    const known = new Set<string>([...Object.keys(diffRules), 'ignored', 'by meaning']);
    expect(Object.values(changeRules).filter((rule) => !known.has(rule))).toEqual([]);
  });
});

describe('the rules of the diff', () => {
  it.each(Object.entries(diffRules))('%s is in kebab case and has advice', (rule, advice) => {
    expect(rule).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(advice).toMatch(/^[A-Z].*\.$/);
  });
});
