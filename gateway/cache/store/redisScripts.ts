import { createRedisScript } from '../../redis/redisClient.ts';

// Each script works on one bucket, whose keys are in one slot, so that it is atomic in a Cluster too. The state of a
// bucket is a hash: `floor`, `latest`, and `tag:…` with the number of the last invalidation of each tag. Numbers
// travel as text: Lua would round them.

/** Gives the next number of an invalidation, tells those who listen, and writes its tags down for those who come
 *  later. By the clock, so that the numbers go on where they were when everything was lost. It publishes by itself:
 *  as a command of its own, PUBLISH goes to any node of a Cluster, and that one may hang.
 *  KEYS: last number, log of tags. ARGV: most tags in the log, channel, message up to the number, tags. */
export const allocateSequence = createRedisScript(`
redis.call('PERSIST', KEYS[1])
local time = redis.call('TIME')
local number = time[1] * 1000000 + time[2]
local last = redis.call('GET', KEYS[1])
if last and tonumber(last) >= number then number = tonumber(last) + 1 end
local text = string.format('%.0f', number)
redis.call('SET', KEYS[1], text)
for i = 4, #ARGV do redis.call('ZADD', KEYS[2], text, ARGV[i]) end
if #ARGV >= 4 then redis.call('PUBLISH', ARGV[2], ARGV[3] .. text .. '}') end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[1])
return text
`);

/** Stores entries, except those that an invalidation has overtaken and those that are older than what is there.
 *  KEYS: state, then for each entry its own and those of its tags' sets. ARGV: number known when the read began,
 *  most members of a set, count of entries, then for each its bytes, milliseconds to live, `storedAt`, count of tags,
 *  tags. Returns the bucket's latest number, or nothing where the bucket does not know it, and how many entries were
 *  left out because a set is full. */
export const writeEntries = createRedisScript(`
local state = redis.call('HMGET', KEYS[1], 'floor', 'latest')
if not state[1] or not state[2] then return {'', 0} end
local floor = tonumber(state[1])
local since = tonumber(ARGV[1])
local most = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local full = 0
local key, arg = 2, 4
for _ = 1, tonumber(ARGV[3]) do
  local entry, bytes = KEYS[key], ARGV[arg]
  local ttl, storedAt, tags = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  local isKept = since >= floor
  for i = 1, tags do
    local stamp = redis.call('HGET', KEYS[1], 'tag:' .. ARGV[arg + 3 + i])
    if stamp and tonumber(stamp) > since then isKept = false end
  end
  if isKept then
    local there = redis.pcall('GETRANGE', entry, 0, 19)
    if type(there) == 'string' and #there == 20 and string.sub(there, 1, 3) == 'TC\\1' then
      local readAt, at = struct.unpack('>dd', there, 5)
      if at > storedAt or (at == storedAt and readAt > since) then isKept = false end
    end
  end
  if isKept then
    for i = 1, tags do
      if redis.call('ZCOUNT', KEYS[key + i], now, '+inf') >= most
        and not redis.call('ZSCORE', KEYS[key + i], entry) then
        isKept = false
      end
    end
    if not isKept then full = full + 1 end
  end
  if isKept then
    -- The first write of the script is the one that Redis refuses when its memory is full.
    redis.call('SET', entry, bytes, 'PX', ttl)
    for i = 1, tags do
      local set = KEYS[key + i]
      redis.call('ZADD', set, now + ttl, entry)
      redis.call('ZREMRANGEBYSCORE', set, '-inf', now)
      if redis.call('PTTL', set) < ttl then redis.call('PEXPIRE', set, ttl) end
    end
  end
  key = key + 1 + tags
  arg = arg + 4 + tags
end
return {state[2], full}
`);

/** Keeps late writes out, and deletes what has one of the tags, a part of it where there is much.
 *  KEYS: state, sets of the tags. ARGV: number of the invalidation, most remembered tags, most deletions for one tag,
 *  tags. Returns how many entries are gone, and 1 where there are more. */
export const deleteTaggedEntries = createRedisScript(`
-- A first write that takes no memory, so that the others work when memory is full.
redis.call('HDEL', KEYS[1], '')
local number = tonumber(ARGV[1])
local latest = redis.call('HGET', KEYS[1], 'latest')
if not latest or tonumber(latest) < number then
  latest = ARGV[1]
  redis.call('HSET', KEYS[1], 'latest', latest)
end
redis.call('HSETNX', KEYS[1], 'floor', latest)
for i = 4, #ARGV do
  local stamp = redis.call('HGET', KEYS[1], 'tag:' .. ARGV[i])
  if not stamp or tonumber(stamp) < number then redis.call('HSET', KEYS[1], 'tag:' .. ARGV[i], ARGV[1]) end
end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'floor', latest, 'latest', latest)
end
local deleted, more = 0, 0
for i = 2, #KEYS do
  local entries = redis.call('ZRANGE', KEYS[i], 0, ARGV[3] - 1)
  for _, entry in ipairs(entries) do deleted = deleted + redis.call('UNLINK', entry) end
  if #entries > 0 then redis.call('ZREMRANGEBYRANK', KEYS[i], 0, #entries - 1) end
  if #entries == tonumber(ARGV[3]) then more = 1 end
end
return {deleted, more}
`);

/** Sets those claims that nobody has.
 *  KEYS: claims. ARGV: token, milliseconds to live. Returns 1 for each that was set, and 0 for the others. */
export const acquireClaims = createRedisScript(`
local claimed = {}
for i = 1, #KEYS do
  claimed[i] = redis.call('SET', KEYS[i], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
end
return claimed
`);

/** Lets those claims expire that have the token: at once, where there is no time left.
 *  KEYS: claims. ARGV: token, milliseconds. */
export const releaseClaims = createRedisScript(`
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
return 1
`);
