import { describe, expect, test } from '@jest/globals';
import {
  type EnrichmentUpdate,
  pendingPaths,
  updateOf,
  withUpdate,
} from '../../../storefront/page/enrichmentLink.ts';

const update = (
  path: EnrichmentUpdate['path'],
  data: unknown,
  errors: EnrichmentUpdate['errors'] = null,
) => ({
  path,
  data,
  errors,
  hasNext: false,
});

describe('an answer with what has come late', () => {
  const answer = Object.freeze({ data: { products: [{ id: '1', advice: null }, null] } });

  test('has it at its place, also in lists, and everything else as it was', () => {
    const first = withUpdate(answer, update(['products', 0, 'advice'], { text: 'a' }));
    const both = withUpdate(first, update(['products', 1], { id: '2' }));
    expect(both.data).toEqual({ products: [{ id: '1', advice: { text: 'a' } }, { id: '2' }] });
    expect(answer.data).toEqual({ products: [{ id: '1', advice: null }, null] });
  });

  test('has the errors of both', () => {
    const failed = { ...answer, errors: [{ message: 'one' }] };
    const { errors } = withUpdate(failed, update(['products', 1], null, [{ message: 'two' }]));
    expect(errors).toEqual([{ message: 'one' }, { message: 'two' }]);
  });

  test('says which update made it, and that nothing else is known to be pending', () => {
    const pending = {
      ...answer,
      extensions: { tributary: { enrichment: { token: 't', pending: [{ path: ['products', 1] }] } } },
    };
    expect([pendingPaths(pending), updateOf(pending)]).toEqual([[['products', 1]], undefined]);
    const one = update(['products', 1], { id: '2' });
    const made = withUpdate(pending, one);
    expect([pendingPaths(made), updateOf(made)]).toEqual([[], one]);
  });
});
