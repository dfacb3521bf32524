import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { RequestPriorities } from '../../../gateway/admission/requestPriorities.ts';

const document = parse('query Checkout { a } query Report { a } query Other { a }');
const claims = { anonymous: 'normal', identified: 'critical' } as const;

test('the priority of an operation overrides what its client claims', () => {
  const operations = { Checkout: 'critical', Report: 'background' } as const;
  const priorities = new RequestPriorities({ operations, claims });
  expect(priorities.priorityOf(document, 'Checkout', 'background', false)).toBe('critical');
  expect(priorities.priorityOf(document, 'Report', 'critical', true)).toBe('background');
  expect(priorities.priorityOf(document, 'Other', undefined, true)).toBe('normal');
  expect(priorities.priorityOf(parse('query Checkout { a }'), undefined, undefined, false)).toBe('critical');
  expect(priorities.priorityOf(parse('{ a }'), undefined, undefined, false)).toBe('normal');
});

test('a client that claims more than it may gets the highest priority that it may have', () => {
  const priorities = new RequestPriorities({ operations: {}, claims });
  const priorityOf = (claimed: 'critical' | 'background' | undefined, isIdentified: boolean) =>
    priorities.priorityOf(document, 'Other', claimed, isIdentified);
  expect(priorityOf('critical', false)).toBe('normal');
  expect(priorityOf('critical', true)).toBe('critical');
  expect(priorityOf('background', false)).toBe('background');
  expect(priorityOf(undefined, false)).toBe('normal');
});

test('a client that claims nothing gets no more than it may claim', () => {
  const priorities = new RequestPriorities({
    operations: {},
    claims: { anonymous: 'background', identified: 'critical' },
  });
  expect(priorities.priorityOf(document, 'Other', undefined, false)).toBe('background');
});

test('the highest priority of a request considers every configured operation', () => {
  const none = new RequestPriorities({ operations: {}, claims });
  expect(none.highestPriorityOf('background', true)).toBe('background');
  const some = new RequestPriorities({ operations: { Report: 'background', Pay: 'normal' }, claims });
  expect(some.highestPriorityOf('background', true)).toBe('normal');
  expect(some.highestPriorityOf('critical', true)).toBe('critical');
});

test('the claim alone decides the priority without configured operations and with equal claims', () => {
  const equal = { anonymous: 'normal', identified: 'normal' } as const;
  const operations = { Report: 'background' } as const;
  expect(new RequestPriorities({ operations: {}, claims: equal }).areClaimed).toBe(true);
  expect(new RequestPriorities({ operations: {}, claims }).areClaimed).toBe(false);
  expect(new RequestPriorities({ operations, claims: equal }).areClaimed).toBe(false);
});
