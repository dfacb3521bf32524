import { type ApolloClient, ApolloLink, gql } from '@apollo/client/core';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lastValueFrom, of, toArray } from 'rxjs';
import {
  type EnrichmentUpdate,
  enrichmentLink,
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

describe('enrichmentLink', () => {
  /** An `EventSource` that delivers these events, and then fails with the state `CLOSED` unless it has been closed. */
  function replay(...events: readonly unknown[]): void {
    class EventSource extends EventTarget {
      static readonly CLOSED = 2;
      readyState = 1;
      constructor() {
        super();
        queueMicrotask(() => {
          for (const data of events) {
            this.dispatchEvent(Object.assign(new Event('next'), { data: JSON.stringify(data) }));
          }
          this.readyState = EventSource.CLOSED;
          this.dispatchEvent(new Event('error'));
        });
      }
      close(): void {}
    }
    Object.assign(globalThis, { EventSource });
  }

  let former: unknown;
  beforeEach(() => {
    former = globalThis.EventSource;
  });
  afterEach(() => void Object.assign(globalThis, { EventSource: former }));

  const answer = {
    data: { advice: null, rating: null },
    extensions: { tributary: { enrichment: { token: 't', pending: [{ path: ['advice'] }] } } },
  };

  function execute(): Promise<readonly unknown[]> {
    const link = enrichmentLink((token) => `/enrichments/${token}`).concat(new ApolloLink(() => of(answer)));
    const client = {} as ApolloClient;
    const results = ApolloLink.execute(link, { query: gql`{ advice rating }` }, { client });
    return lastValueFrom(results.pipe(toArray())).then((all) => all.map(({ data }) => data));
  }

  test('ends after the last update', async () => {
    replay({ ...update(['rating'], 5), hasNext: true }, update(['advice'], 'buy'));
    expect(await execute()).toEqual([answer.data, { advice: null, rating: 5 }, { advice: 'buy', rating: 5 }]);
  });

  test.each([
    ['the token is not valid any more', []],
    ['its updates are evicted', [{ errors: [{ message: 'Expired.' }] }]],
  ])('fails when %s, so that the page can try again', async (_, events) => {
    replay(...events);
    await expect(execute()).rejects.toThrow('The pending fields are not available any more.');
  });
});
