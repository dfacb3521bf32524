import { parseExactJson } from '../../json/exactJson.ts';
import { createRedisScript, type RedisArgument, type RedisScript } from '../../redis/redisClient.ts';
import { firstStreamId, nextId } from '../../redis/streamIds.ts';
import type { JobKeys } from './jobKeys.ts';
import type { LogEntry } from './updateLog.ts';

// A run is a hash: owner (a process id, or empty), state, fields (their number), remaining (fields without an update),
// number (of the last update), attempts (failed ones), error, retried (by an operator), ownerDeaths, `field:<key>` with
// the number of the field's update, and `replaced:<key>` with the number of the update that the field's next one replaces.

const extendExpiry = `
local function extend_expiry(id, run, log, active_run, ttl)
  if redis.call('PTTL', run) < ttl then redis.call('PEXPIRE', run, ttl) end
  local remaining_ttl = redis.call('PTTL', run)
  redis.call('PEXPIRE', log, remaining_ttl)
  if redis.call('GET', active_run) == id then redis.call('PEXPIRE', active_run, remaining_ttl) end
end
`;

/** Writes the progress of a run. Idempotent. A field that has an update gets no other one, and a process that does not
 *  own the run (any more) can add only successful results. KEYS: run, log, active run. ARGV: run id, owner, channel,
 *  ttl, mode, number of fields, attempts, error, state, retried; then for each update: key, number, whether it is a
 *  failure, text. Mode `create` does nothing if an equal job has an active run; `force create` ignores that; `update`
 *  expects that the run exists. Returns `ok`, `not owner`, `lost` if the run does not exist, or the id of the other
 *  active run. */
export const writeRun = createRedisScript(`${extendExpiry}
local run, log, active_run = KEYS[1], KEYS[2], KEYS[3]
local id, owner, channel, ttl, mode = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call('EXISTS', run) == 0 then
  if mode == 'update' then return 'lost' end
  local other = redis.call('GET', active_run)
  if mode == 'create' and other then return other end
  redis.call('HSET', run, 'owner', owner, 'state', 'open', 'fields', ARGV[6], 'remaining', ARGV[6], 'number', 0,
    'retried', ARGV[10])
  if not other then redis.call('SET', active_run, id, 'PX', ttl) end
end
local is_owner = redis.call('HGET', run, 'owner') == owner
local has_changed = false
for i = 11, #ARGV, 4 do
  local field, replaced = 'field:' .. ARGV[i], 'replaced:' .. ARGV[i]
  if (is_owner or ARGV[i + 2] == '0') and redis.call('HEXISTS', run, field) == 0 then
    local number = math.max(tonumber(redis.call('HGET', run, 'number')) + 1, tonumber(ARGV[i + 1]))
    local replaced_number = redis.call('HGET', run, replaced)
    if replaced_number then redis.call('XDEL', log, replaced_number .. '-0') end
    -- Before the changes to the run: if the permissions exclude this command, the update is still to be written.
    redis.call('XADD', log, number .. '-0', 'key', ARGV[i], 'failure', ARGV[i + 2], 'update', ARGV[i + 3])
    if replaced_number then redis.call('HDEL', run, replaced) end
    local remaining = redis.call('HGET', run, 'remaining') - 1
    redis.call('HSET', run, 'number', number, field, number, 'remaining', remaining)
    has_changed = true
  end
end
if is_owner then
  redis.call('HSET', run, 'attempts', ARGV[7], 'error', ARGV[8])
  if ARGV[9] == 'released' then
    redis.call('HSET', run, 'owner', '')
  elseif ARGV[9] ~= 'open' then
    redis.call('HSET', run, 'state', ARGV[9])
    if redis.call('GET', active_run) == id then redis.call('DEL', active_run) end
  end
elseif redis.call('HGET', run, 'remaining') == '0' then
  redis.call('HSET', run, 'state', 'done')
  if redis.call('GET', active_run) == id then redis.call('DEL', active_run) end
end
extend_expiry(id, run, log, active_run, ttl)
if has_changed then redis.call('PUBLISH', channel, id .. ' ' .. owner) end
return is_owner and 'ok' or 'not owner'
`);

/** KEYS: run, log. ARGV: the stream id to read from, or nothing if no id can follow. Returns nothing if the run does
 *  not exist, else the number of fields without an update, the updates, and 1 if the log has all updates, else 0. */
const readLog = createRedisScript(`
local remaining, fields = unpack(redis.call('HMGET', KEYS[1], 'remaining', 'fields'))
if not remaining then return false end
local is_complete = redis.call('XLEN', KEYS[2]) >= fields - remaining
return {remaining, ARGV[1] == '' and {} or redis.call('XRANGE', KEYS[2], ARGV[1], '+'), is_complete and 1 or 0}
`);

interface ScriptRunner {
  runScript(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    signal?: AbortSignal,
  ): Promise<unknown>;
}

interface RedisLogPage {
  readonly updates: readonly LogEntry[];
  readonly remaining: number;
  /** False if Redis has evicted updates. */
  readonly isComplete: boolean;
}

/** The updates of a run in Redis after a cursor; `undefined` if Redis does not have the run, or if `signal` is aborted. */
export async function readRedisLog(
  redis: ScriptRunner,
  keys: JobKeys,
  runId: string,
  after: string = firstStreamId,
  signal?: AbortSignal,
): Promise<RedisLogPage | undefined> {
  const names = [keys.run(runId), keys.updateLog(runId)];
  const reply = await redis.runScript(readLog, names, [nextId(after)], signal);
  if (!Array.isArray(reply)) return undefined;
  const [remaining, entries, isComplete] = reply as [Buffer, readonly [Buffer, readonly Buffer[]][], number];
  return {
    remaining: Number(String(remaining)),
    updates: entries.map(readEntry),
    isComplete: Number(isComplete) === 1,
  };
}

function readEntry([id, fields]: readonly [Buffer, readonly Buffer[]]): LogEntry {
  // Names and values alternate, in the order of the XADD in writeRun.
  const [, key, , failure, , update] = fields.map(String);
  const size = fields[5]?.length ?? 0;
  return {
    key: key ?? '',
    cursor: String(id),
    isFailure: failure === '1',
    size,
    ...(parseExactJson(update ?? '') as Pick<LogEntry, 'path' | 'data' | 'errors'>),
  };
}

/** Extends a run for another token. KEYS: run, log, active run. ARGV: run id, ttl. Returns 0 if the run has ended, has
 *  updates, which may be much older than the response of the token, or waits for another attempt. */
export const joinRun = createRedisScript(`${extendExpiry}
local state, number, attempts = unpack(redis.call('HMGET', KEYS[1], 'state', 'number', 'attempts'))
if state ~= 'open' or number ~= '0' or (attempts and attempts ~= '0') then return 0 end
extend_expiry(ARGV[1], KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[2]))
return 1
`);

/** KEYS: run. ARGV: expected owner, new owner. Returns nothing if the owner is another one, else how many owners have
 *  died: a process that stops in an orderly way leaves the run without an owner. */
export const reclaimRun = createRedisScript(`
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return false end
redis.call('HSET', KEYS[1], 'owner', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'ownerDeaths', (ARGV[1] == '' or ARGV[1] == ARGV[2]) and 0 or 1)
`);

/** Reopens failed fields: each gets another update, which replaces the one that it has. If Redis no longer has the run,
 *  its log stays incomplete: without the updates of the other fields. KEYS: run, log, active run. ARGV: run id, ttl,
 *  number of failed fields, their keys, the keys of the other fields. Returns 0 if the run has not failed (any more):
 *  another operator has retried it, and it may have its updates by now. */
export const reopenRun = createRedisScript(`${extendExpiry}
local run, count = KEYS[1], tonumber(ARGV[3])
local state, owner = unpack(redis.call('HMGET', run, 'state', 'owner'))
if state == 'done' or (state == 'open' and owner ~= '') then return 0 end
if redis.call('EXISTS', run) == 0 then
  redis.call('HSET', run, 'fields', #ARGV - 3, 'remaining', count, 'number', 0)
  for i = 4 + count, #ARGV do redis.call('HSET', run, 'field:' .. ARGV[i], 0) end
else
  for i = 4, 3 + count do
    local number = redis.call('HGET', run, 'field:' .. ARGV[i])
    if number then
      redis.call('HDEL', run, 'field:' .. ARGV[i])
      redis.call('HSET', run, 'replaced:' .. ARGV[i], number)
      redis.call('HINCRBY', run, 'remaining', 1)
    end
  end
end
redis.call('HSET', run, 'owner', '', 'state', 'open', 'attempts', 0, 'error', '', 'retried', 1, 'ownerDeaths', 0)
extend_expiry(ARGV[1], run, KEYS[2], KEYS[3], tonumber(ARGV[2]))
return 1
`);

/** KEYS: run. ARGV: milliseconds that a run outlives its tokens. Returns nothing if the run does not exist, 1 if a
 *  token is valid or an operator has retried the job, else 0. */
export const isRunWanted = createRedisScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
if redis.call('HGET', KEYS[1], 'retried') == '1' then return 1 end
return redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) and 1 or 0
`);
