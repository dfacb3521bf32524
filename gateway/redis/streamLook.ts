import { redisScript } from './redisClient.ts';
import { firstStreamId, isLaterId } from './streamIds.ts';

export interface StreamEntry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** A stream at one moment, and the entries that come next for a reader. */
export interface StreamLook {
  /** Of whatever has ever been added. Of a stream that is not there, the one before every entry. */
  readonly lastId: string;
  readonly firstEntry: string | undefined;
  /** Largest id that was deleted by itself; trimming is not told here. Not known before Redis 7. */
  readonly lastDeleted: string | undefined;
  /** How many have ever been added. Not known before Redis 7. */
  readonly added: number | undefined;
  /** How many are there. */
  readonly length: number;
  /** In their order; as many as were asked for, fewer where the stream ends. */
  readonly entries: readonly StreamEntry[];
}

/** What the reader knows of the place where it is. */
export interface StreamPlace {
  readonly id: string;
  /** How many entries had been added by then, with this one, where that is known. */
  readonly added: number | undefined;
  /** Largest id of a deleted entry that was told as a gap. */
  readonly toldDeleted: string;
}

/** In one go, so that nothing is trimmed between the look and the entries.
 *  KEYS: stream. ARGV: id to begin with, or nothing, and most entries. */
export const lookAtStream = redisScript(`
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
export function readLook(reply: unknown): StreamLook {
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
    firstEntry: String(first) || undefined,
    lastDeleted: String(deleted) || undefined,
    added: Number(added) < 0 ? undefined : Number(added),
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
export function hasGap(place: StreamPlace, look: StreamLook): boolean {
  if (isLaterId(place.id, look.lastId)) return true;
  const { lastDeleted } = look;
  if (
    lastDeleted !== undefined &&
    isLaterId(lastDeleted, place.id) &&
    isLaterId(lastDeleted, place.toldDeleted)
  ) {
    return true;
  }
  // Entries are trimmed from the front: while one is there that was read, none is gone that was not.
  if (!isWhollyAfter(place, look) || place.id === look.lastId) return false;
  const before = place.id === firstStreamId ? 0 : place.added;
  if (before === undefined || look.added === undefined) return true;
  const missing = look.added - before - look.length;
  // Fewer than there were: it is another stream by now.
  return missing !== 0;
}

/** Where reading goes on when the entries of a look have been read, of which as many as `asked` were asked for. */
export function placeAfter(place: StreamPlace, look: StreamLook, asked: number): StreamPlace {
  const last = look.entries.at(-1);
  if (last === undefined || look.entries.length < asked) {
    return { ...place, id: look.lastId, added: look.added };
  }
  const before = addedAt(place, look);
  return { ...place, id: last.id, added: before === undefined ? undefined : before + look.entries.length };
}

/** Where reading goes on after a gap. */
export function placeAfterGap(place: StreamPlace, look: StreamLook): StreamPlace {
  return {
    id: look.entries.length > 0 ? place.id : look.lastId,
    added: addedAt(place, look),
    toldDeleted: look.lastDeleted ?? firstStreamId,
  };
}

/** How many had been added by the place, counted back from what is there where nothing that was read is. */
function addedAt(place: StreamPlace, look: StreamLook): number | undefined {
  if (!isWhollyAfter(place, look)) return place.added;
  return look.added === undefined ? undefined : look.added - look.length;
}

/** Whether nothing is there any more that was read. */
function isWhollyAfter(place: StreamPlace, { firstEntry }: StreamLook): boolean {
  return firstEntry === undefined || isLaterId(firstEntry, place.id);
}
