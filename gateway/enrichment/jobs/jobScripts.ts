import { createRedisScript } from '../../redis/redisClient.ts';

// A work is a hash: owner, state, remaining (places without an update), number (of the last update), attempts, error,
// retried (by hand), deaths (of processes that owned it), `place:<key>` with the number of its update, and `old:<key>` with the one that is to be replaced.

const extendExpiry = `
local function keep(id, work, log, job, ttl)
  if redis.call('PTTL', work) < ttl then redis.call('PEXPIRE', work, ttl) end
  local left = redis.call('PTTL', work)
  redis.call('PEXPIRE', log, left)
  if redis.call('GET', job) == id then redis.call('PEXPIRE', job, left) end
end
`;

/** Writes what has become of a work, however often it is said. A place that has its update gets no other one, and who
 *  does not own the work (any more) may add good results only.
 *  KEYS: work, log, job. ARGV: work's id, owner, channel, ttl, mode, places, attempts, error, state, retried, and of
 *  each update key, number, whether it is a failure, text. Mode `begin`: unless an equal job is under way; `own`: in
 *  any case; `go on`: it is there. Returns `ok`, `theirs` where another process owns it, `lost` where it is not
 *  there, or the id of the other work. */
export const writeRun = createRedisScript(`${extendExpiry}
local work, log, job = KEYS[1], KEYS[2], KEYS[3]
local id, owner, channel, ttl, mode = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call('EXISTS', work) == 0 then
  if mode == 'go on' then return 'lost' end
  local other = redis.call('GET', job)
  if mode == 'begin' and other then return other end
  redis.call('HSET', work, 'owner', owner, 'state', 'open', 'remaining', ARGV[6], 'number', 0, 'retried', ARGV[10])
  if not other then redis.call('SET', job, id, 'PX', ttl) end
end
local isOwner = redis.call('HGET', work, 'owner') == owner
local hasChanged = false
for i = 11, #ARGV, 4 do
  local place, old = 'place:' .. ARGV[i], 'old:' .. ARGV[i]
  if (isOwner or ARGV[i + 2] == '0') and redis.call('HEXISTS', work, place) == 0 then
    local number = math.max(tonumber(redis.call('HGET', work, 'number')) + 1, tonumber(ARGV[i + 1]))
    local replaced = redis.call('HGET', work, old)
    if replaced then
      redis.call('XDEL', log, replaced .. '-0')
      redis.call('HDEL', work, old)
    end
    redis.call('HSET', work, 'number', number, place, number)
    redis.call('HINCRBY', work, 'remaining', -1)
    redis.call('XADD', log, number .. '-0', 'key', ARGV[i], 'failure', ARGV[i + 2], 'update', ARGV[i + 3])
    hasChanged = true
  end
end
if isOwner then
  redis.call('HSET', work, 'attempts', ARGV[7], 'error', ARGV[8])
  if ARGV[9] == 'left' then
    redis.call('HSET', work, 'owner', '')
  elseif ARGV[9] ~= 'open' then
    redis.call('HSET', work, 'state', ARGV[9])
    if redis.call('GET', job) == id then redis.call('DEL', job) end
  end
elseif redis.call('HGET', work, 'remaining') == '0' then
  redis.call('HSET', work, 'state', 'done')
  if redis.call('GET', job) == id then redis.call('DEL', job) end
end
keep(id, work, log, job, ttl)
if hasChanged then redis.call('PUBLISH', channel, id) end
return isOwner and 'ok' or 'theirs'
`);

/** KEYS: work, log. ARGV: id of an update to begin with, or nothing where none can follow. Returns nothing where it is
 *  forgotten, else how many places are to come, and the updates. */
export const readLog = createRedisScript(`
local remaining = redis.call('HGET', KEYS[1], 'remaining')
if not remaining then return false end
return {remaining, ARGV[1] == '' and {} or redis.call('XRANGE', KEYS[2], ARGV[1], '+')}
`);

/** One more token leads to a work. KEYS: work, log, job. ARGV: work's id, ttl. Returns 0 where it is not under way. */
export const joinRun = createRedisScript(`${extendExpiry}
if redis.call('HGET', KEYS[1], 'state') ~= 'open' then return 0 end
keep(ARGV[1], KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[2]))
return 1
`);

/** KEYS: work. ARGV: owner until now, new owner. Returns nothing where another process was faster, else how many that
 *  owned it have died: those that end as they should leave it without an owner. */
export const reclaimRun = createRedisScript(`
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return false end
redis.call('HSET', KEYS[1], 'owner', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'deaths', (ARGV[1] == '' or ARGV[1] == ARGV[2]) and 0 or 1)
`);

/** Lets places get another update, which replaces the one that they have. KEYS: work, log, job. ARGV: work's id, ttl,
 *  how many places, their keys, and those of the other places. Returns 0 where it has not failed (any more): somebody
 *  else has let it be tried again, and it may have its update by now. */
export const reopenRun = createRedisScript(`${extendExpiry}
local work, count = KEYS[1], tonumber(ARGV[3])
local state, owner = unpack(redis.call('HMGET', work, 'state', 'owner'))
if state == 'done' or (state == 'open' and owner ~= '') then return 0 end
if redis.call('EXISTS', work) == 0 then
  redis.call('HSET', work, 'remaining', count, 'number', 0)
  for i = 4 + count, #ARGV do redis.call('HSET', work, 'place:' .. ARGV[i], 0) end
else
  for i = 4, 3 + count do
    local number = redis.call('HGET', work, 'place:' .. ARGV[i])
    if number then
      redis.call('HDEL', work, 'place:' .. ARGV[i])
      redis.call('HSET', work, 'old:' .. ARGV[i], number)
      redis.call('HINCRBY', work, 'remaining', 1)
    end
  end
end
redis.call('HSET', work, 'owner', '', 'state', 'open', 'attempts', 0, 'error', '', 'retried', 1, 'deaths', 0)
keep(ARGV[1], work, KEYS[2], KEYS[3], tonumber(ARGV[2]))
return 1
`);

/** KEYS: work. ARGV: how much longer than its tokens it is kept. Returns nothing where it is forgotten, 1 where a token
 *  may still be used or somebody wants it tried once more, else 0. */
export const isRunWanted = createRedisScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
if redis.call('HGET', KEYS[1], 'retried') == '1' then return 1 end
return redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) and 1 or 0
`);
