import { describe, expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import { GatewayError } from '../../../gateway/errors.ts';
import { payloadFormat } from '../../../gateway/response/incrementalFormats.ts';
import {
  type DeferredResults,
  IncrementalPublisher,
} from '../../../gateway/response/incrementalPublisher.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf('type Query { a: Int b: String c: String }');
const type = schema.getQueryType() as GraphQLObjectType;
const { root } = normalizeText(schema, '{ a ... @defer(label: "b") { b } ... @defer(label: "c") { c } }');

/** A response whose first payload was sent, and whose deferred fragments are complete. */
function publish(dataOf: (label: string | undefined) => string): IncrementalPublisher {
  const publisher = new IncrementalPublisher({
    format: payloadFormat('deferSpec=20220824'),
    // biome-ignore lint/correctness/useYield: small data needs no pause
    *shape({ label }): Generator<void, DeferredResults> {
      return { results: [{ data: dataOf(label), errors: [], deferred: [] }], stale: undefined };
    },
  });
  const deferred = root
    .collect(schema, type)
    .deferred.map((fragment) => ({ fragment, object: {}, type, path: [] }));
  runToCompletion(publisher.publishFirst({ data: '{"a":1}', errors: [], extensions: undefined }, deferred));
  for (const { fragment } of deferred) publisher.markComplete(fragment.group);
  return publisher;
}

const take = (publisher: IncrementalPublisher): unknown[] =>
  runToCompletion(publisher.takeReady()).map((payload) => JSON.parse(payload));

describe('the payloads of fragments that are complete', () => {
  test('are made together, but for those after a large one, which wait until it was read', () => {
    const large = 'x'.repeat(1024 * 1024);
    const publisher = publish((label) => (label === 'b' ? `{"b":"${large}"}` : '{"c":"small"}'));
    expect(take(publisher)).toEqual([
      { incremental: [{ data: { b: large }, path: [], label: 'b' }], hasNext: true },
    ]);
    expect(take(publisher)).toEqual([
      { incremental: [{ data: { c: 'small' }, path: [], label: 'c' }], hasNext: false },
    ]);
    expect(take(publish(() => '{}'))).toHaveLength(2);
  });

  test('follow one that is null with an error, because it is too large', () => {
    const publisher = publish((label) => {
      if (label === 'b') throw new GatewayError('OPERATION_TOO_COMPLEX', 'too large');
      return '{"c":"small"}';
    });
    expect(take(publisher)).toEqual([
      {
        incremental: [
          {
            data: null,
            path: [],
            label: 'b',
            errors: [{ message: 'too large', path: [], extensions: { code: 'OPERATION_TOO_COMPLEX' } }],
          },
        ],
        hasNext: true,
      },
      { incremental: [{ data: { c: 'small' }, path: [], label: 'c' }], hasNext: false },
    ]);
    expect(publisher.hasErrors).toBe(true);
  });

  test('are not made when the gateway has a fault', () => {
    const publisher = publish(() => {
      throw new TypeError('a fault');
    });
    expect(() => take(publisher)).toThrow('a fault');
  });
});
