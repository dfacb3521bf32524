import { describe, expect, test } from '@jest/globals';
import { hasGap, type StreamLook, type StreamPlace } from '../../../gateway/redis/streamLook.ts';

const place = (parts: Partial<StreamPlace> = {}): StreamPlace => ({
  id: '5-0',
  added: 5,
  toldDeleted: '0-0',
  ...parts,
});

/** Entries 1 to 8 were added, and are all there. */
const look = (parts: Partial<StreamLook> = {}): StreamLook => ({
  lastId: '8-0',
  firstEntry: '1-0',
  lastDeleted: '0-0',
  added: 8,
  length: 8,
  entries: [],
  ...parts,
});

test('while an entry is there that was read, or one before it, nothing was trimmed that was not', () => {
  expect(hasGap(place(), look())).toBe(false);
  expect(hasGap(place({ added: undefined }), look({ firstEntry: '5-0', length: 4 }))).toBe(false);
});

test('what was read may be trimmed', () => {
  expect(hasGap(place(), look({ firstEntry: '6-0', length: 3 }))).toBe(false);
  expect(hasGap(place({ id: '8-0', added: undefined }), look({ firstEntry: undefined, length: 0 }))).toBe(
    false,
  );
});

test('what was not read and is gone is a gap', () => {
  expect(hasGap(place(), look({ firstEntry: '7-0', length: 2 }))).toBe(true);
  expect(hasGap(place(), look({ firstEntry: undefined, length: 0 }))).toBe(true);
});

test('an entry deleted by itself is a gap once, unless it had been read', () => {
  expect(hasGap(place(), look({ lastDeleted: '5-0', length: 7 }))).toBe(false);
  expect(hasGap(place(), look({ lastDeleted: '7-0', length: 7 }))).toBe(true);
  expect(hasGap(place({ toldDeleted: '7-0' }), look({ lastDeleted: '7-0', length: 7 }))).toBe(false);
});

test('from the very beginning, everything that was ever added is expected', () => {
  const beginning = place({ id: '0-0', added: undefined });
  expect(hasGap(beginning, look())).toBe(false);
  expect(hasGap(beginning, look({ firstEntry: '2-0', length: 7 }))).toBe(true);
});

test('a stream that has lost its last entries is a gap', () => {
  expect(hasGap(place(), look({ lastId: '4-0', added: 4, length: 4 }))).toBe(true);
  expect(hasGap(place(), look({ lastId: '0-0', firstEntry: undefined, added: undefined, length: 0 }))).toBe(
    true,
  );
});

test('another stream under the same key is a gap', () => {
  expect(hasGap(place(), look({ firstEntry: '7-0', added: 2, length: 2 }))).toBe(true);
});

describe('a Redis that does not tell how many were added', () => {
  const old = { lastDeleted: undefined, added: undefined };

  test('says by an entry that was read that there is no gap', () => {
    expect(hasGap(place({ added: undefined }), look({ ...old, firstEntry: '5-0', length: 4 }))).toBe(false);
  });

  test('leaves it open otherwise, and then there may be one', () => {
    expect(hasGap(place({ added: undefined }), look({ ...old, firstEntry: '6-0', length: 3 }))).toBe(true);
  });
});
