import { describe, expect, test } from '@jest/globals';
import { hasGap, type StreamPosition, type StreamProbe } from '../../../gateway/redis/streamProbe.ts';

const place = (parts: Partial<StreamPosition> = {}): StreamPosition => ({
  id: '5-0',
  addedCount: 5,
  reportedDeletedId: '0-0',
  ...parts,
});

/** Entries 1 to 8 were added, and are all there. */
const look = (parts: Partial<StreamProbe> = {}): StreamProbe => ({
  lastId: '8-0',
  firstEntryId: '1-0',
  maxDeletedId: '0-0',
  addedCount: 8,
  length: 8,
  entries: [],
  ...parts,
});

test('while an entry is there that was read, or one before it, nothing was trimmed that was not', () => {
  expect(hasGap(place(), look())).toBe(false);
  expect(hasGap(place({ addedCount: undefined }), look({ firstEntryId: '5-0', length: 4 }))).toBe(false);
});

test('what was read may be trimmed', () => {
  expect(hasGap(place(), look({ firstEntryId: '6-0', length: 3 }))).toBe(false);
  expect(
    hasGap(place({ id: '8-0', addedCount: undefined }), look({ firstEntryId: undefined, length: 0 })),
  ).toBe(false);
});

test('what was not read and is gone is a gap', () => {
  expect(hasGap(place(), look({ firstEntryId: '7-0', length: 2 }))).toBe(true);
  expect(hasGap(place(), look({ firstEntryId: undefined, length: 0 }))).toBe(true);
});

test('an entry deleted by itself is a gap once, unless it had been read', () => {
  expect(hasGap(place(), look({ maxDeletedId: '5-0', length: 7 }))).toBe(false);
  expect(hasGap(place(), look({ maxDeletedId: '7-0', length: 7 }))).toBe(true);
  expect(hasGap(place({ reportedDeletedId: '7-0' }), look({ maxDeletedId: '7-0', length: 7 }))).toBe(false);
});

test('from the very beginning, everything that was ever added is expected', () => {
  const beginning = place({ id: '0-0', addedCount: undefined });
  expect(hasGap(beginning, look())).toBe(false);
  expect(hasGap(beginning, look({ firstEntryId: '2-0', length: 7 }))).toBe(true);
});

test('a stream that has lost its last entries is a gap', () => {
  expect(hasGap(place(), look({ lastId: '4-0', addedCount: 4, length: 4 }))).toBe(true);
  expect(
    hasGap(place(), look({ lastId: '0-0', firstEntryId: undefined, addedCount: undefined, length: 0 })),
  ).toBe(true);
});

test('another stream under the same key is a gap', () => {
  expect(hasGap(place(), look({ firstEntryId: '7-0', addedCount: 2, length: 2 }))).toBe(true);
});

describe('a Redis that does not tell how many were added', () => {
  const old = { lastDeleted: undefined, added: undefined };

  test('says by an entry that was read that there is no gap', () => {
    expect(hasGap(place({ addedCount: undefined }), look({ ...old, firstEntryId: '5-0', length: 4 }))).toBe(
      false,
    );
  });

  test('leaves it open otherwise, and then there may be one', () => {
    expect(hasGap(place({ addedCount: undefined }), look({ ...old, firstEntryId: '6-0', length: 3 }))).toBe(
      true,
    );
  });
});
