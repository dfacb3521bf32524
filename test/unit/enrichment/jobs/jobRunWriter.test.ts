import { expect, test } from '@jest/globals';
import { JobKeys } from '../../../../gateway/enrichment/jobs/jobKeys.ts';
import { JobRunWriter } from '../../../../gateway/enrichment/jobs/jobRunWriter.ts';
import { UpdateLog } from '../../../../gateway/enrichment/jobs/updateLog.ts';
import type { RetryingRedisClient } from '../../../../gateway/redis/retryingRedisClient.ts';
import { failedResult, successfulResult } from '../../../harness/enrichmentJobsFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

const retentionMs = 70_000;

/** A writer, and a Redis whose replies the test gives: `ok` unless there are others. */
function open({ isRetried = false, isForgotten = false, isRestored = false } = {}) {
  const log = new UpdateLog(['reviews', 'stock']);
  const commands: { ttl: unknown; mode: unknown; state: unknown; failure: unknown; updates: unknown[] }[] =
    [];
  const replies: unknown[] = [];
  const redis = {
    runScript: async (_script: unknown, _keys: unknown, args: readonly unknown[]) => {
      const [, , , ttl, mode, , attempts, error, state] = args;
      const updates = args.slice(10).filter((_, index) => index % 4 === 0);
      commands.push({ ttl, mode, state, failure: [attempts, error], updates });
      return replies.length === 0 ? 'ok' : replies.shift();
    },
  } as unknown as RetryingRedisClient;
  let [losses, notifications] = [0, 0];
  const writer = new JobRunWriter({
    runId: 'a.1',
    processId: 'process',
    redis,
    keys: new JobKeys(''),
    retentionMs,
    isRetried,
    writtenUpTo: isRestored ? 0 : undefined,
    log: () => (isForgotten ? undefined : log),
    onWritten: () => {
      notifications += 1;
    },
    onLost: () => {
      losses += 1;
    },
  });
  return {
    writer,
    log,
    commands,
    replies,
    losses: () => losses,
    notifications: () => notifications,
    updates: () => commands.map(({ updates }) => updates),
    modes: () => commands.map(({ mode }) => mode),
  };
}

test('each update is written once, and the expiry is extended for the first token and for further ones only', async () => {
  const { writer, log, commands, updates } = open();
  log.append(successfulResult('reviews'));
  await writer.create();
  log.append(successfulResult('stock'));
  await writer.write();
  writer.extendExpiry();
  await writer.write();
  await writer.write();
  expect(updates()).toEqual([['reviews'], ['stock'], [], []]);
  expect(commands.map(({ ttl }) => ttl)).toEqual([retentionMs, 1, retentionMs, 1]);
});

test('the results of one turn, and the end of the run, are written together', async () => {
  const { writer, log, commands, notifications } = open();
  await writer.create();
  for (const field of ['reviews', 'stock']) {
    log.append(successfulResult(field));
    void writer.write();
    await Promise.resolve();
  }
  writer.recordEnd({ kind: 'done' });
  expect(notifications()).toBe(0);
  await writer.write();
  expect(commands.map(({ state, updates }) => [state, updates])).toEqual([
    ['open', []],
    ['done', ['reviews', 'stock']],
  ]);
  expect(notifications()).toBe(1);
});

test('the updates in Redis are known until another process may have written one', async () => {
  const { writer, log, replies } = open();
  const known: (number | undefined)[] = [writer.soleWriterUpTo];
  await writer.create();
  known.push(writer.soleWriterUpTo);
  log.append(successfulResult('reviews'));
  known.push(writer.soleWriterUpTo);
  await writer.write();
  known.push(writer.soleWriterUpTo);
  replies.push('not owner', 'ok');
  await writer.write();
  known.push(writer.soleWriterUpTo);
  await writer.write();
  known.push(writer.soleWriterUpTo);
  writer.recordForeignUpdate();
  known.push(writer.soleWriterUpTo);
  expect(known).toStrictEqual([undefined, 0, 0, 1, undefined, 1, undefined]);
  expect(open({ isRestored: true }).writer.soleWriterUpTo).toBeUndefined();
});

test('a retried run is stored for its retention after each write', async () => {
  const { writer, commands } = open({ isRetried: true });
  await writer.create();
  await writer.write();
  expect(commands.map(({ ttl }) => ttl)).toEqual([retentionMs, retentionMs]);
});

test('everything is written again when Redis may have lost updates, also those of a write that is under way', async () => {
  const { writer, log, replies, updates } = open();
  await writer.create();
  log.append(successfulResult('reviews'));
  const reply = Promise.withResolvers<string>();
  replies.push(reply.promise);
  const written = writer.write();
  await waitForTurns();
  const rewritten = writer.rewriteAll();
  reply.resolve('ok');
  await Promise.all([written, rewritten]);
  expect(updates()).toEqual([[], ['reviews'], ['reviews']]);
});

test('a run that Redis has lost is created again with all updates, but without the old one of a field that is retried', async () => {
  const { writer, log, replies, losses, updates, modes } = open();
  log.append(failedResult('reviews'));
  log.append(successfulResult('stock'));
  await writer.create();
  log.reopen(['reviews']);
  replies.push('lost');
  await writer.write();
  expect([updates(), modes()]).toEqual([
    [['reviews', 'stock'], [], ['stock']],
    ['create', 'update', 'force create'],
  ]);
  expect([losses(), writer.isPersisted, writer.wasPersisted]).toEqual([1, true, true]);
});

test('nothing is written of a run that neither Redis nor this process has', async () => {
  const { writer, commands } = open({ isForgotten: true });
  await writer.write();
  expect([writer.isPersisted, commands]).toEqual([false, []]);
});

test('an equal job of another process is reported, and the run is created beside it when that is forced', async () => {
  const { writer, replies, modes } = open();
  replies.push('a.2');
  expect(await writer.create()).toBe('a.2');
  expect(writer.isPersisted).toBe(false);
  writer.forceCreate();
  await writer.write();
  expect([modes(), writer.isPersisted]).toEqual([['create', 'force create'], true]);
});

test('the end of a run is written with its last failure, and a dropped one is done', async () => {
  const { writer, commands } = open();
  writer.recordFailure({ attempts: 1, error: 'first' });
  await writer.create();
  writer.recordEnd({ kind: 'failed', failedKeys: ['reviews'], attempts: 2, error: 'last' });
  await writer.write();
  const dropped = open();
  dropped.writer.recordEnd({ kind: 'dropped' });
  await dropped.writer.create();
  expect([...commands, ...dropped.commands].map(({ state, failure }) => [state, failure])).toEqual([
    ['open', [1, 'first']],
    ['failed', [2, 'last']],
    ['done', [0, '']],
  ]);
});

test('an update that Redis had is still served while all updates are written again', async () => {
  const { writer, log, replies } = open();
  log.append(successfulResult('reviews'));
  await writer.create();
  const reply = Promise.withResolvers<string>();
  replies.push(reply.promise);
  const written = writer.rewriteAll();
  expect(writer.soleWriterUpTo).toBe(1);
  reply.resolve('ok');
  await written;
  expect(writer.soleWriterUpTo).toBe(1);
});
