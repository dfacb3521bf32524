import { createRedisScript } from './redisClient.ts';
import { firstStreamId, isLaterId } from './streamIds.ts';

export interface StreamEntry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** The state of a stream at one moment, with the next entries of a reader. */
export interface StreamProbe {
  /** The id of the last entry ever added. `0-0` if the stream does not exist. */
  readonly lastId: string;
  readonly firstEntryId: string | undefined;
  /** The largest id deleted by XDEL; trimming does not count. Unknown before Redis 7. */
  readonly maxDeletedId: string | undefined;
  /** The number of entries ever added. Unknown before Redis 7. */
  readonly addedCount: number | undefined;
  /** The number of entries in the stream. */
  readonly length: number;
  /** In order. */
  readonly entries: readonly StreamEntry[];
  /** Whether more entries may follow these. */
  readonly hasMore: boolean;
  /** Whether the entry of the reader's position exists. */
  readonly hasEntry: boolean;
  /** The time of the server in milliseconds; 0 if entries were requested, or the stream does not exist. */
  readonly nowMs: number;
}

/** The position of a reader. */
export interface StreamPosition {
  readonly id: string;
  /** Whether an entry with this id was seen, and no gap after it was reported: if it is missing, the stream may have been
   *  restored to an earlier state. */
  readonly isEntry: boolean;
  /** The number of entries ever added up to this id, if known. */
  readonly addedCount: number | undefined;
  /** The largest deleted id that was already reported as a gap. */
  readonly reportedDeletedId: string;
}

/** Maximum bytes of entries that are read at once; a larger entry is read alone. */
const maxEntryBytes = 128 * 1024;

/** Reads the state and the entries atomically, so that no entry is trimmed in between.
 *  KEYS: stream. ARGV: first id, or '' for no entries; maximum number of entries; the id of the reader's position. */
export const streamProbeScript = createRedisScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return {'${firstStreamId}', '', '', -1, 0, {}, 0, 0, 0} end
local reply = redis.call('XINFO', 'STREAM', KEYS[1])
local info = {}
for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
local first = info['first-entry'] and info['first-entry'][1] or ''
local entries, now = {}, 0
if ARGV[1] ~= '' then
  entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
else
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local hasMore = #entries == tonumber(ARGV[2]) and 1 or 0
local bytes = 0
for i, entry in ipairs(entries) do
  for _, text in ipairs(entry[2]) do bytes = bytes + #text end
  if i > 1 and bytes > ${maxEntryBytes} then
    entries = {unpack(entries, 1, i - 1)}
    hasMore = 1
    break
  end
end
return {info['last-generated-id'], first, info['max-deleted-entry-id'] or '', info['entries-added'] or -1,
  info['length'], entries, hasMore, now, #redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])}
`);

/** Parses the reply of `streamProbeScript`. */
export function parseStreamProbe(reply: unknown): StreamProbe {
  const [lastId, first, deleted, added, length, entries, hasMore, now, hasEntry] = reply as [
    Buffer,
    Buffer,
    Buffer,
    number,
    number,
    readonly [Buffer, readonly Buffer[]][],
    number,
    number,
    number,
  ];
  return {
    lastId: String(lastId),
    firstEntryId: String(first) || undefined,
    maxDeletedId: String(deleted) || undefined,
    addedCount: Number(added) < 0 ? undefined : Number(added),
    length: Number(length),
    entries: entries.map(([id, flat]) => ({ id: String(id), fields: readFields(flat) })),
    hasMore: Number(hasMore) === 1,
    hasEntry: Number(hasEntry) === 1,
    nowMs: Number(now),
  };
}

/** A list in which names and values alternate, as Redis returns hashes and the fields of entries. */
export function readFields(flat: readonly unknown[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2) {
    fields.set(String(flat[index]), String(flat[index + 1]));
  }
  return fields;
}

/** Where a reader without an id begins: with the entries that were added since it was created, `elapsedMs` ago. Otherwise
 *  those that are added while it connects would be lost. Those of the few milliseconds before may be among them. If ids are
 *  no times of the server, it begins after the last entry. */
export function positionAtStart(probe: StreamProbe, elapsedMs: number): StreamPosition {
  const { lastId, addedCount, length, nowMs } = probe;
  const end: StreamPosition = { ...positionAt(lastId, false), addedCount };
  const id = `${Math.max(0, Math.floor(nowMs - elapsedMs) - 1)}-0`;
  if (!isLaterId(lastId, id) || isLaterId(lastId, `${nowMs + 1}-0`)) return end;
  const start = { ...end, id, addedCount: undefined };
  // If no entry was ever deleted, none was added before this position.
  return addedCount === length && areReadEntriesGone(start, probe) ? { ...start, addedCount: 0 } : start;
}

/** The position of a reader that has read everything up to an id. */
export function positionAt(id: string, isEntry: boolean): StreamPosition {
  return { id, isEntry, addedCount: undefined, reportedDeletedId: firstStreamId };
}

/** Why entries may be missing: they were deleted before they were read, or the stream was restored to a state before the
 *  position, so that entries that were read are lost, too. */
type GapKind = 'deleted' | 'restored';

/** Returns the gap after the position; `undefined` for none. Finds a gap if Redis does not report enough to rule it out. */
export function findGap(position: StreamPosition, probe: StreamProbe): GapKind | undefined {
  if (isRestored(position, probe)) return 'restored';
  const { maxDeletedId } = probe;
  if (
    maxDeletedId !== undefined &&
    isLaterId(maxDeletedId, position.id) &&
    isLaterId(maxDeletedId, position.reportedDeletedId)
  ) {
    return 'deleted';
  }
  // Trimming deletes the oldest entries: while an entry exists that was read, none was trimmed unread.
  if (!areReadEntriesGone(position, probe) || position.id === probe.lastId) return undefined;
  const before = position.id === firstStreamId ? 0 : position.addedCount;
  if (before === undefined || probe.addedCount === undefined) return 'deleted';
  const trimmedUnread = probe.addedCount - before - probe.length;
  // A negative number means that the stream was replaced by another one.
  return trimmedUnread === 0 ? undefined : 'deleted';
}

/** Whether the stream was restored to a state before the position, as after a crash of Redis, or begins anew. A deletion of
 *  the entry alone is no restore; before Redis 7, it looks the same. */
export function isRestored(position: StreamPosition, probe: StreamProbe): boolean {
  const { id, isEntry } = position;
  const { hasEntry, lastId, maxDeletedId } = probe;
  if (isLaterId(id, lastId)) return true;
  if (!isEntry || hasEntry || areReadEntriesGone(position, probe)) return false;
  return maxDeletedId === undefined || isLaterId(id, maxDeletedId);
}

/** Where reading continues after the entries of a probe, which may begin before the position. */
export function positionAfter(position: StreamPosition, probe: StreamProbe): StreamPosition {
  const last = probe.entries.at(-1);
  if (last === undefined || !probe.hasMore) {
    return { ...position, id: probe.lastId, isEntry: true, addedCount: probe.addedCount };
  }
  const before = addedCountAt(position, probe);
  const read = probe.entries.filter(({ id }) => isLaterId(id, position.id)).length;
  const addedCount = before === undefined ? undefined : before + read;
  return { ...position, id: last.id, isEntry: true, addedCount };
}

/** Where reading continues after a gap, or after entries whose loss another reader has found. */
export function positionAfterGap(
  position: StreamPosition,
  probe: StreamProbe,
  gap: GapKind | undefined,
): StreamPosition {
  return {
    id: probe.entries.length > 0 ? position.id : probe.lastId,
    isEntry: false,
    // The number that a restored stream had at this id is not known.
    addedCount: gap === 'restored' ? undefined : addedCountAt(position, probe),
    reportedDeletedId: probe.maxDeletedId ?? firstStreamId,
  };
}

/** The number of entries ever added up to the position. If all read entries were deleted, it is computed from the
 *  remaining ones. */
function addedCountAt(position: StreamPosition, probe: StreamProbe): number | undefined {
  if (!areReadEntriesGone(position, probe)) return position.addedCount;
  return probe.addedCount === undefined ? undefined : probe.addedCount - probe.length;
}

/** Whether all entries that were read have been deleted. */
function areReadEntriesGone(position: StreamPosition, { firstEntryId }: StreamProbe): boolean {
  return firstEntryId === undefined || isLaterId(firstEntryId, position.id);
}
