import { createRedisScript } from '../../redis/redisClient.ts';
import { entryFormatVersion } from './entryCodec.ts';

// Each script works on one bucket. All keys of a bucket are in one slot, so that scripts are atomic in a Cluster too.
//
// The state of a bucket is a hash. `latest` is the sequence number of its last invalidation, and `tag:…` that of each tag.
// Writes whose read began before `floor` are rejected, because tags invalidated before it may have been forgotten.
// Sequence numbers are passed as text, because Lua rounds a number to 14 digits when it converts it to text.

/** Allocates the sequence number of an invalidation, publishes the invalidation, and appends its tags to the log for
 *  processes that were not subscribed. A number without tags is published, too: processes that start later use only what was
 *  read after it. Numbers are microseconds of the clock, so that they keep increasing after all data was lost. The log begins
 *  with an empty tag, whose number is the last one before the log: Redis may have evicted an earlier log. The script
 *  publishes, because a separate PUBLISH may go to a Cluster node that hangs.
 *  KEYS: last sequence number, log of tags.
 *  ARGV: maximum number of tags in the log, channel, beginning of the message, tags. */
export const allocateSequence = createRedisScript(`
redis.call('PERSIST', KEYS[1])
local time = redis.call('TIME')
local sequence = time[1] * 1000000 + time[2]
local last = redis.call('GET', KEYS[1])
if last and tonumber(last) >= sequence then sequence = tonumber(last) + 1 end
local text = string.format('%.0f', sequence)
redis.call('SET', KEYS[1], text)
if #ARGV < 4 then
  -- A user without permission for the channel stores entries all the same.
  redis.pcall('PUBLISH', ARGV[2], ARGV[3] .. text .. '}')
  return text
end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('ZADD', KEYS[2], last or text, '') end
for i = 4, #ARGV do redis.call('ZADD', KEYS[2], text, ARGV[i]) end
redis.call('ZREMRANGEBYRANK', KEYS[2], 1, -1 - ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3] .. text .. '}')
return text
`);

/** Stores entries, except those whose tags were invalidated since their read began, and those that are older than the
 *  stored entry, unless that was stored in the future. Each tag has a sorted set of entry keys, scored by expiry time.
 *  KEYS: state, then for each entry its key and the sets of its tags.
 *  ARGV: read version, maximum size of a set, latest `storedAt` that is not in the future, number of entries, then for each
 *  entry its bytes, time to live in milliseconds, `storedAt`, number of tags, tags.
 *  Returns the latest sequence number of the bucket, or '' if its state was lost, and the number of entries that were not
 *  stored because a set is full. */
export const writeEntries = createRedisScript(`
local state = redis.call('HMGET', KEYS[1], 'floor', 'latest')
if not state[1] or not state[2] then return {'', 0} end
local floor = tonumber(state[1])
local since = tonumber(ARGV[1])
local maxMembers = tonumber(ARGV[2])
local maxStoredAt = tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rejected = 0
local key, arg = 2, 5
for _ = 1, tonumber(ARGV[4]) do
  local entry, bytes = KEYS[key], ARGV[arg]
  local ttl, storedAt, tags = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  local isAccepted = since >= floor
  for i = 1, tags do
    local invalidatedAt = redis.call('HGET', KEYS[1], 'tag:' .. ARGV[arg + 3 + i])
    if invalidatedAt and tonumber(invalidatedAt) > since then isAccepted = false end
  end
  if isAccepted then
    local header = redis.pcall('GETRANGE', entry, 0, 19)
    if type(header) == 'string' and #header == 20 and string.sub(header, 1, 3) == 'TC\\${entryFormatVersion}' then
      local oldReadVersion, oldStoredAt = struct.unpack('>dd', header, 5)
      local isNewer = oldStoredAt > storedAt or (oldStoredAt == storedAt and oldReadVersion > since)
      if isNewer and oldStoredAt <= maxStoredAt then isAccepted = false end
    end
  end
  if isAccepted then
    for i = 1, tags do
      if redis.call('ZCOUNT', KEYS[key + i], now, '+inf') >= maxMembers
        and not redis.call('ZSCORE', KEYS[key + i], entry) then
        isAccepted = false
      end
    end
    if not isAccepted then rejected = rejected + 1 end
  end
  if isAccepted then
    for i = 1, tags do
      local set = KEYS[key + i]
      -- The first write must take memory: Redis refuses a script at its first write when memory is full, and not later.
      redis.call('ZADD', set, now + ttl, entry)
      redis.call('ZREMRANGEBYSCORE', set, '-inf', now)
      if redis.call('PTTL', set) < ttl then redis.call('PEXPIRE', set, ttl) end
    end
    -- Last: a command that the user may not run ends the script, and no invalidation would find an entry without its sets.
    redis.call('SET', entry, bytes, 'PX', ttl)
  end
  key = key + 1 + tags
  arg = arg + 4 + tags
end
return {state[2], rejected}
`);

/** Records an invalidation, so that later writes are checked against it, and deletes entries with one of the tags, up to a
 *  limit for each tag.
 *  KEYS: state, sets of the tags.
 *  ARGV: sequence number, maximum number of remembered tags, maximum deletions for one tag, tags.
 *  Returns the number of deleted entries, and 1 if more entries remain. */
export const deleteTaggedEntries = createRedisScript(`
-- When memory is full, Redis refuses a script at its first write, unless that write takes no memory. This one does not.
redis.call('HDEL', KEYS[1], '')
local sequence = tonumber(ARGV[1])
local latest = redis.call('HGET', KEYS[1], 'latest')
if not latest or tonumber(latest) < sequence then
  latest = ARGV[1]
  redis.call('HSET', KEYS[1], 'latest', latest)
end
redis.call('HSETNX', KEYS[1], 'floor', latest)
for i = 4, #ARGV do
  local last = redis.call('HGET', KEYS[1], 'tag:' .. ARGV[i])
  if not last or tonumber(last) < sequence then redis.call('HSET', KEYS[1], 'tag:' .. ARGV[i], ARGV[1]) end
end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'floor', latest, 'latest', latest)
end
local deleted, hasMore = 0, 0
for i = 2, #KEYS do
  local entries = redis.call('ZRANGE', KEYS[i], 0, ARGV[3] - 1)
  for _, entry in ipairs(entries) do deleted = deleted + redis.call('UNLINK', entry) end
  if #entries > 0 then redis.call('ZREMRANGEBYRANK', KEYS[i], 0, #entries - 1) end
  if #entries == tonumber(ARGV[3]) then hasMore = 1 end
end
return {deleted, hasMore}
`);

/** Deletes keys with another type or with values that are not numbers, as if they had been lost.
 *  KEYS: any. ARGV: the format of each, see `RedisKeys`. Returns the deleted keys. */
export const deleteDamagedKeys = createRedisScript(`
local deleted = {}
for i, key in ipairs(KEYS) do
  local format, type = ARGV[i], redis.call('TYPE', key).ok
  local isIntact = type == 'none' or type == format or (format == 'number' and type == 'string')
  local values = {}
  if isIntact and type == 'string' then values = {redis.call('GET', key)} end
  if isIntact and type == 'hash' then values = redis.call('HVALS', key) end
  for _, value in ipairs(values) do isIntact = isIntact and tonumber(value) ~= nil end
  if not isIntact then
    redis.call('UNLINK', key)
    table.insert(deleted, key)
  end
end
return deleted
`);

/** Sets claims that no other process has. A process can have a claim from before, which it could not release.
 *  KEYS: claims. ARGV: token, time to live in milliseconds. Returns 1 for each claim that was set, and 0 for the others. */
export const acquireClaims = createRedisScript(`
local claimed = {}
for i = 1, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  claimed[i] = (not holder or holder == ARGV[1]) and 1 or 0
  if claimed[i] == 1 then redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2]) end
end
return claimed
`);

/** The value of a claim that no process has, and that none can acquire until it expires. */
export const pausedClaim = 'paused';

/** Releases claims that have the token: they are paused until a new expiry. An expiry of 0 deletes them.
 *  KEYS: claims. ARGV: token, milliseconds until the expiry. */
export const releaseClaims = createRedisScript(`
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then
    -- When memory is full, Redis refuses a script at its first write, unless that write takes no memory. This one does not.
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
    if ARGV[2] ~= '0' then redis.call('SET', KEYS[i], '${pausedClaim}', 'PX', ARGV[2]) end
  end
end
return 1
`);
