import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../../gateway/errors.ts';
import { isForwardableHeader, selectForwardedHeaders } from '../../../gateway/subgraphs/forwardedHeaders.ts';

const headersOf = (entries: Record<string, string>): ReadonlyMap<string, string> =>
  new Map(Object.entries(entries));

describe('forwarded headers', () => {
  test('contain only allow-listed headers, in any letter case of the list', () => {
    const client = headersOf({ authorization: 'Bearer a', cookie: 's=1', 'accept-language': 'de' });

    expect(selectForwardedHeaders(['Authorization', 'accept-language', 'x-absent'], client)).toEqual({
      key: '15:accept-language2:de13:authorization8:Bearer a',
      pairs: ['accept-language', 'de', 'authorization', 'Bearer a'],
    });
  });

  test('have the same key for an allow-list in another order or with duplicates', () => {
    const client = headersOf({ a: '1', b: '2' });

    expect(selectForwardedHeaders(['b', 'A', 'a'], client)).toEqual(
      selectForwardedHeaders(['a', 'b'], client),
    );
  });

  test('distinguish an empty value from an absent header', () => {
    expect(selectForwardedHeaders(['a'], headersOf({ a: '' })).key).not.toBe(
      selectForwardedHeaders(['a'], headersOf({})).key,
    );
  });

  test('contain cookies if they are listed', () => {
    expect(selectForwardedHeaders(['cookie'], headersOf({ cookie: 's=1' })).pairs).toEqual(['cookie', 's=1']);
  });

  test.each([
    'connection',
    'Keep-Alive',
    'proxy-authorization',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'host',
    'content-length',
    'content-type',
    'expect',
    'sec-websocket-key',
    'sec-websocket-protocol',
    'x-request-id',
    'tributary-deadline-ms',
    'no header name',
    '__proto__:',
  ])('never contain "%s", even if it is listed', (name) => {
    expect(isForwardableHeader(name.toLowerCase())).toBe(false);
    expect(selectForwardedHeaders([name], headersOf({ [name.toLowerCase()]: 'x' }))).toEqual({
      key: '',
      pairs: [],
    });
  });

  test.each(['a\r\nx-admin: 1', 'a\nb', 'a\0b', 'ключ'])(
    'a value that is no header value is refused: %j',
    (value) => {
      const attempt = (): unknown =>
        selectForwardedHeaders(['authorization'], headersOf({ authorization: value }));

      expect(attempt).toThrow(GatewayError);
      expect(attempt).toThrow('The value of the header "authorization" has a forbidden character.');
    },
  );

  test('have equal keys exactly if all listed headers are equal', () => {
    const names = ['a', 'a1', 'aa', 'b'];
    // Values that look like parts of a key could make two keys collide.
    const value = fc.oneof(
      fc.constantFrom('', '1', ':', '1:a', '1:a1:1', 'aa0:'),
      fc.string({ maxLength: 4 }),
    );
    const client = fc
      .dictionary(fc.constantFrom(...names), value)
      .map((entries) => headersOf(entries))
      .filter((headers) => [...headers.values()].every((text) => /^[\x20-\x7e]*$/.test(text)));

    fc.assert(
      fc.property(client, client, (one, other) => {
        const areEqual = names.every((name) => one.get(name) === other.get(name));
        expect(selectForwardedHeaders(names, one).key === selectForwardedHeaders(names, other).key).toBe(
          areEqual,
        );
      }),
      { numRuns: 500 },
    );
  });
});
