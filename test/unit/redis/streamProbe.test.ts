import { describe, expect, test } from '@jest/globals';
import {
  findGap,
  positionAtStart,
  type StreamPosition,
  type StreamProbe,
} from '../../../gateway/redis/streamProbe.ts';

const position = (parts: Partial<StreamPosition> = {}): StreamPosition => ({
  id: '5-0',
  isEntry: true,
  addedCount: 5,
  reportedDeletedId: '0-0',
  ...parts,
});

/** Entries 1 to 8 were added, and are all there. */
const probe = (parts: Partial<StreamProbe> = {}): StreamProbe => ({
  lastId: '8-0',
  firstEntryId: '1-0',
  maxDeletedId: '0-0',
  addedCount: 8,
  length: 8,
  entries: [],
  hasMore: false,
  hasEntry: true,
  nowMs: 0,
  ...parts,
});

test('there is no gap while an entry exists that was read, or one before it', () => {
  expect(findGap(position(), probe())).toBeUndefined();
  expect(
    findGap(position({ addedCount: undefined }), probe({ firstEntryId: '5-0', length: 4 })),
  ).toBeUndefined();
});

test('trimming entries that were read is not a gap', () => {
  expect(findGap(position(), probe({ firstEntryId: '6-0', length: 3 }))).toBeUndefined();
  expect(
    findGap(position({ id: '8-0', addedCount: undefined }), probe({ firstEntryId: undefined, length: 0 })),
  ).toBeUndefined();
});

test('trimming entries that were not read is a gap', () => {
  expect(findGap(position(), probe({ firstEntryId: '7-0', length: 2 }))).toBe('deleted');
  expect(findGap(position(), probe({ firstEntryId: undefined, length: 0 }))).toBe('deleted');
});

test('a deleted entry is reported as a gap once, unless it was read', () => {
  expect(findGap(position(), probe({ maxDeletedId: '5-0', length: 7 }))).toBeUndefined();
  expect(findGap(position(), probe({ maxDeletedId: '7-0', length: 7 }))).toBe('deleted');
  expect(
    findGap(position({ reportedDeletedId: '7-0' }), probe({ maxDeletedId: '7-0', length: 7 })),
  ).toBeUndefined();
});

test('reading from the beginning expects every entry ever added', () => {
  const beginning = position({ id: '0-0', addedCount: undefined });
  expect(findGap(beginning, probe())).toBeUndefined();
  expect(findGap(beginning, probe({ firstEntryId: '2-0', length: 7 }))).toBe('deleted');
});

test('a stream that lost its last entries has a gap', () => {
  expect(findGap(position(), probe({ lastId: '4-0', addedCount: 4, length: 4 }))).toBe('restored');
  expect(
    findGap(position(), probe({ lastId: '0-0', firstEntryId: undefined, addedCount: undefined, length: 0 })),
  ).toBe('restored');
});

test('a stream that was restored to a state before the last read entry has a gap, and one in which it was deleted has none', () => {
  expect(findGap(position(), probe({ hasEntry: false }))).toBe('restored');
  expect(findGap(position(), probe({ hasEntry: false, maxDeletedId: '5-0', length: 7 }))).toBeUndefined();
  expect(findGap(position({ isEntry: false }), probe({ hasEntry: false }))).toBeUndefined();
});

test('a stream that was replaced under the same key has a gap', () => {
  expect(findGap(position(), probe({ firstEntryId: '7-0', addedCount: 2, length: 2 }))).toBe('deleted');
});

describe('Without the number of added entries (before Redis 7),', () => {
  const old = { maxDeletedId: undefined, addedCount: undefined };

  test('an existing entry that was read rules out a gap', () => {
    expect(
      findGap(position({ addedCount: undefined }), probe({ ...old, firstEntryId: '5-0', length: 4 })),
    ).toBeUndefined();
  });

  test('a gap is assumed if no read entry exists', () => {
    expect(
      findGap(position({ addedCount: undefined }), probe({ ...old, firstEntryId: '6-0', length: 3 })),
    ).toBe('deleted');
  });
});

describe('A reader that was created 50 ms ago without an id', () => {
  const start = (parts: Partial<StreamProbe>) => {
    const state = probe({ nowMs: 1_000_000, ...parts });
    const begin = positionAtStart(state, 50);
    return { id: begin.id, gap: findGap(begin, state) };
  };

  test('begins with the entries that were added since', () => {
    expect(start({ lastId: '999990-3' })).toStrictEqual({ id: '999949-0', gap: undefined });
    expect(start({ lastId: '1000000-7' })).toStrictEqual({ id: '999949-0', gap: undefined });
  });

  test.each(['999900-0', '8-0', '1700000000000000-0'])(
    'begins after the last entry, %s, if none was added since or ids are no times of the server',
    (lastId) => expect(start({ lastId })).toStrictEqual({ id: lastId, gap: undefined }),
  );

  test('has a gap if all earlier entries were deleted, and none if there were none', () => {
    const later = { lastId: '999990-1', firstEntryId: '999990-0', length: 2 };
    expect(start({ ...later, addedCount: 2 }).gap).toBeUndefined();
    expect(start({ ...later, addedCount: 3 }).gap).toBe('deleted');
  });
});
