import { describe, expect, test } from '@jest/globals';
import {
  type EnrichmentUpdate,
  pendingFields,
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

describe('withUpdate', () => {
  const answer = Object.freeze({ data: { products: [{ id: '1', advice: null }, null] } });

  test('sets the data at the path of the update, also in lists, and leaves everything else unchanged', () => {
    const first = withUpdate(answer, update(['products', 0, 'advice'], { text: 'a' }));
    const both = withUpdate(first, update(['products', 1], { id: '2' }));
    expect(both.data).toEqual({ products: [{ id: '1', advice: { text: 'a' } }, { id: '2' }] });
    expect(answer.data).toEqual({ products: [{ id: '1', advice: null }, null] });
  });

  test('merges the errors of the response and the update', () => {
    const failed = { ...answer, errors: [{ message: 'one' }] };
    const { errors } = withUpdate(failed, update(['products', 1], null, [{ message: 'two' }]));
    expect(errors).toEqual([{ message: 'one' }, { message: 'two' }]);
  });

  test('makes the update available through updateOf, and removes the pending fields', () => {
    const pending = {
      ...answer,
      extensions: { tributary: { enrichment: { token: 't', pending: [{ path: ['products', 1] }] } } },
    };
    expect([pendingFields(pending), updateOf(pending)]).toEqual([[{ path: ['products', 1] }], undefined]);
    const one = update(['products', 1], { id: '2' });
    const made = withUpdate(pending, one);
    expect([pendingFields(made), updateOf(made)]).toEqual([[], one]);
  });
});
