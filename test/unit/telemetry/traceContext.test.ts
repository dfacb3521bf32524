import { describe, expect, test } from '@jest/globals';
import { readTraceHeaders } from '../../../gateway/telemetry/traceContext.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const read = (headers: Record<string, string>) => readTraceHeaders(new Map(Object.entries(headers)));

describe('a valid traceparent', () => {
  test.each([
    ['of version 00 is passed on', traceparent, traceparent],
    [
      'with unknown flags is passed on',
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff',
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff',
    ],
    [
      'of a later version is passed on as version 00',
      'cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what-the-future-will-be-like',
      traceparent,
    ],
  ])('%s', (_, received, sent) => {
    expect(read({ traceparent: received })).toEqual(['traceparent', sent]);
  });

  test('is passed on with its tracestate', () => {
    const tracestate = 'rojo=00f067aa0ba902b7 , 1a-2b@vendor=t61rcWkgMzE,,';
    expect(read({ traceparent, tracestate })).toEqual(['traceparent', traceparent, 'tracestate', tracestate]);
  });

  test.each([
    ['that has more than 512 characters', `a=${'x'.repeat(250)},b=${'x'.repeat(250)},c=${'x'.repeat(10)}`],
    ['that has more than 32 members', Array.from({ length: 33 }, (_, index) => `a${index}=1`).join()],
    ['with an upper case key', 'Vendor=1'],
    ['without a value', 'vendor'],
    ['with the same key twice', 'vendor=1,vendor=2'],
    ['with a character that is not ASCII', 'vendor=é'],
    ['that is empty', ''],
  ])('is passed on without a tracestate %s', (_, tracestate) => {
    expect(read({ traceparent, tracestate })).toEqual(['traceparent', traceparent]);
  });
});

describe('an invalid traceparent', () => {
  test.each([
    ['nonsense'],
    [''],
    ['x'.repeat(3_000)],
    [traceparent.toUpperCase()],
    [`${traceparent}-01`],
    [`${traceparent}, ${traceparent}`],
    ['ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ['00-00000000000000000000000000000000-b7ad6b7169203331-01'],
    ['00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01'],
    ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331'],
  ])('is replaced by a new trace without the tracestate: %s', (received) => {
    const [name, first, ...more] = read({ traceparent: received, tracestate: 'vendor=1' });
    expect([name, more]).toEqual(['traceparent', []]);
    expect(first).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/);
    expect(read({ traceparent: received })[1]).not.toBe(first);
  });
});

test('without a traceparent there is no trace, even with a tracestate', () => {
  expect(read({ tracestate: 'vendor=1' })).toEqual([]);
});
