import { createRedisScript } from './redisClient.ts';
import { firstStreamId, isLaterId } from './streamIds.ts';

export interface StreamEntry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** A stream at one moment, and the entries that come next for a reader. */
export interface StreamProbe {
  /** Of whatever has ever been added. Of a stream that is not there, the one before every entry. */
  readonly lastId: string;
  readonly firstEntryId: string | undefined;
  /** Largest id that was deleted by itself; trimming is not told here. Not known before Redis 7. */
  readonly maxDeletedId: string | undefined;
  /** How many have ever been added. Not known before Redis 7. */
  readonly addedCount: number | undefined;
  /** How many are there. */
  readonly length: number;
  /** In their order; as many as were asked for, fewer where the stream ends. */
  readonly entries: readonly StreamEntry[];
}

/** What the reader knows of the place where it is. */
export interface StreamPosition {
  readonly id: string;
  /** How many entries had been added by then, with this one, where that is known. */
  readonly addedCount: number | undefined;
  /** Largest id of a deleted entry that was told as a gap. */
  readonly reportedDeletedId: string;
}

/** In one go, so that nothing is trimmed between the look and the entries.
 *  KEYS: stream. ARGV: id to begin with, or nothing, and most entries. */
export const streamProbeScript = createRedisScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return {'${firstStreamId}', '', '', -1, 0, {}} end
local reply = redis.call('XINFO', 'STREAM', KEYS[1])
local info = {}
for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
local first = info['first-entry'] and info['first-entry'][1] or ''
local entries = {}
if ARGV[1] ~= '' then entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2]) end
return {info['last-generated-id'], first, info['max-deleted-entry-id'] or '', info['entries-added'] or -1,
  info['length'], entries}
`);

/** Reads the reply of that script. */
export function parseStreamProbe(reply: unknown): StreamProbe {
  const [lastId, first, deleted, added, length, entries] = reply as [
    Buffer,
    Buffer,
    Buffer,
    number,
    number,
    readonly [Buffer, readonly Buffer[]][],
  ];
  return {
    lastId: String(lastId),
    firstEntryId: String(first) || undefined,
    maxDeletedId: String(deleted) || undefined,
    addedCount: Number(added) < 0 ? undefined : Number(added),
    length: Number(length),
    entries: entries.map(([id, flat]) => ({ id: String(id), fields: readFields(flat) })),
  };
}

function readFields(flat: readonly Buffer[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2) {
    fields.set(String(flat[index]), String(flat[index + 1]));
  }
  return fields;
}

/** Whether entries after a place may be gone that were not read. Where Redis does not tell enough, they may. */
export function hasGap(place: StreamPosition, look: StreamProbe): boolean {
  if (isLaterId(place.id, look.lastId)) return true;
  const { maxDeletedId } = look;
  if (
    maxDeletedId !== undefined &&
    isLaterId(maxDeletedId, place.id) &&
    isLaterId(maxDeletedId, place.reportedDeletedId)
  ) {
    return true;
  }
  // Entries are trimmed from the front: while one is there that was read, none is gone that was not.
  if (!areReadEntriesGone(place, look) || place.id === look.lastId) return false;
  const before = place.id === firstStreamId ? 0 : place.addedCount;
  if (before === undefined || look.addedCount === undefined) return true;
  const missing = look.addedCount - before - look.length;
  // Fewer than there were: it is another stream by now.
  return missing !== 0;
}

/** Where reading goes on when the entries of a look have been read, of which as many as `asked` were asked for. */
export function positionAfter(place: StreamPosition, look: StreamProbe, asked: number): StreamPosition {
  const last = look.entries.at(-1);
  if (last === undefined || look.entries.length < asked) {
    return { ...place, id: look.lastId, addedCount: look.addedCount };
  }
  const before = addedCountAt(place, look);
  return {
    ...place,
    id: last.id,
    addedCount: before === undefined ? undefined : before + look.entries.length,
  };
}

/** Where reading goes on after a gap. */
export function positionAfterGap(place: StreamPosition, look: StreamProbe): StreamPosition {
  return {
    id: look.entries.length > 0 ? place.id : look.lastId,
    addedCount: addedCountAt(place, look),
    reportedDeletedId: look.maxDeletedId ?? firstStreamId,
  };
}

/** How many had been added by the place, counted back from what is there where nothing that was read is. */
function addedCountAt(place: StreamPosition, look: StreamProbe): number | undefined {
  if (!areReadEntriesGone(place, look)) return place.addedCount;
  return look.addedCount === undefined ? undefined : look.addedCount - look.length;
}

/** Whether nothing is there any more that was read. */
function areReadEntriesGone(place: StreamPosition, { firstEntryId }: StreamProbe): boolean {
  return firstEntryId === undefined || isLaterId(firstEntryId, place.id);
}
