import type { RedisArgument, RedisScript } from '../../redis/redisClient.ts';
import { firstStreamId, nextId } from '../../redis/streamIds.ts';
import type { JobKeys } from './jobKeys.ts';
import { readLog } from './jobScripts.ts';
import type { LogEntry } from './updateLog.ts';

interface RedisLogPage {
  readonly updates: readonly LogEntry[];
  readonly remaining: number;
}

interface ScriptRunner {
  runScript(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
}

/** What Redis has of a work's log after a cursor; `undefined` where it has forgotten it. */
export async function readRedisLog(
  redis: ScriptRunner,
  keys: JobKeys,
  workId: string,
  after: string = firstStreamId,
): Promise<RedisLogPage | undefined> {
  const reply = await redis.runScript(readLog, [keys.run(workId), keys.updateLog(workId)], [nextId(after)]);
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
