import { beforeEach, describe, expect, test } from '@jest/globals';
import { tabsToOpen } from '../../../../gateway/transport/graphiql/page/preparedTabs.ts';

const items = new Map<string, string>();
const storage = {
  getItem: (key: string) => items.get(key) ?? null,
  setItem: (key: string, value: string) => void items.set(key, value),
  removeItem: (key: string) => void items.delete(key),
} as Storage;

beforeEach(() => items.clear());

function open(prepared: readonly string[]): readonly (string | null)[] | undefined {
  return tabsToOpen(prepared, storage)?.map(({ query }) => query);
}

/** As GraphiQL stores the tabs of a visit. */
function leave(queries: readonly (string | null)[]): void {
  items.set('graphiql:tabState', JSON.stringify({ tabs: queries.map((query) => ({ query })) }));
}

describe('the tabs of GraphiQL', () => {
  test('are the prepared ones at the first visit, and then those of the last visit', () => {
    expect(open(['{ a }', '{ b }'])).toEqual(['{ a }', '{ b }']);
    leave(['{ b }', '{ own }']);
    expect(open(['{ a }', '{ b }'])).toBeUndefined();
  });

  test('are the new prepared ones and the own ones when the configuration has changed', () => {
    open(['{ a }', '{ b }']);
    leave(['{ b }', '{ a changed }', null, '{ own }', '{ c }']);
    expect(open(['{ b }', '{ c }'])).toEqual(['{ b }', '{ c }', '{ a changed }', '{ own }']);
  });

  test('are one that says how to begin without prepared ones', () => {
    expect(open([])).toEqual([expect.stringContaining('query Start {')]);
  });

  test('are the prepared ones if what the browser stored cannot be read', () => {
    items.set('graphiql:tabState', '{"tabs"');
    items.set('tributary:preparedTabs', '["{ old }"]');
    expect(open(['{ a }'])).toEqual(['{ a }']);
  });
});
