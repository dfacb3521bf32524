import type { RedisArgument, RedisScript } from '../../redis/redisClient.ts';
import { firstStreamId, nextId } from '../../redis/streamIds.ts';
import type { LateKeys } from './lateKeys.ts';
import { readLog } from './lateScripts.ts';
import type { LogEntry } from './updateLog.ts';

export interface RedisLogPage {
  readonly updates: readonly LogEntry[];
  readonly remaining: number;
}

export interface ScriptRunner {
  run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
}

/** What Redis has of a work's log after a cursor; `undefined` where it has forgotten it. */
export async function readRedisLog(
  redis: ScriptRunner,
  keys: LateKeys,
  workId: string,
  after: string = firstStreamId,
): Promise<RedisLogPage | undefined> {
  const reply = await redis.run(readLog, [keys.work(workId), keys.log(workId)], [nextId(after)]);
  if (!Array.isArray(reply)) return undefined;
  const [remaining, entries] = reply as [Buffer, readonly [Buffer, readonly Buffer[]][]];
  return { remaining: Number(String(remaining)), updates: entries.map(readEntry) };
}

function readEntry([id, fields]: readonly [Buffer, readonly Buffer[]]): LogEntry {
  // Names and values by turns, in the order in which they were added.
  const [, key, , failure, , update] = fields.map(String);
  const size = fields[5]?.length ?? 0;
  return {
    key: key ?? '',
    cursor: String(id),
    isFailure: failure === '1',
    size,
    ...JSON.parse(update ?? ''),
  };
}
