import { expect, test } from '@jest/globals';
import {
  beginAnew,
  countScripts,
  eventText,
  listenAhead,
  listenLive,
  openStreamTopic,
  readerLooks,
  replayLooks,
} from '../harness/streamTopicFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const suiteRedis = await startSuiteRedis();
const { redis } = suiteRedis;
const open = () => openStreamTopic(suiteRedis);

test('a listener that is ahead of the reader gets the events of a stream that begins anew', async () => {
  await using opened = await open();
  const { live, ahead } = await listenAhead(opened);
  await redis.del(opened.stream);
  await opened.add(1);
  opened.proxy.resume();
  await live.until('gap');
  await ahead.until('caught up');
  await opened.add(2);
  await live.until('live 2');
  expect(ahead.seen).toEqual(['past 6', 'past 7', 'gap', 'caught up', 'live 2']);
  expect(live.seen).toEqual(['gap', 'live 2']);
});

test('a listener that is ahead of the reader gets no event again and no gap for entries that were deleted behind it', async () => {
  await using opened = await open();
  const { live, ahead } = await listenAhead(opened);
  await redis.xdel(opened.stream, '6-0');
  opened.proxy.resume();
  await Promise.all([live.until('live 7'), ahead.until('caught up')]);
  await opened.add(8);
  await live.until('live 8');
  expect(ahead.seen).toEqual(['past 6', 'past 7', 'caught up', 'live 8']);
  expect(live.seen).toEqual(['gap', 'live 7', 'live 8']);
});

test('a listener that replays while the stream begins anew gets the new events', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const consumed = Promise.withResolvers<void>();
  const replaying = opened.listen(4, () => consumed.promise);
  await replaying.until('past 5');
  await beginAnew(opened, live);
  consumed.resolve();
  await replaying.until('caught up');
  await opened.add(2);
  await replaying.until('live 2');
  expect(replaying.seen).toEqual(['past 5', 'past 6', 'gap', 'caught up', 'live 2']);
});

test('each listener gets one gap when the stream is restored to an earlier state, also while it is paused or replays', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const consumed = Promise.withResolvers<void>();
  const replaying = opened.listen(4, () => consumed.promise);
  await replaying.until('past 5');
  const paused = opened.listen();
  paused.flowControl?.pause();
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await redis.del(opened.stream);
  await opened.add(4, 8);
  opened.proxy.resume();
  await live.until('live 8');
  consumed.resolve();
  paused.flowControl?.resume();
  live.flowControl?.pause();
  live.flowControl?.resume();
  const later = opened.listen(4);
  const all = [live, replaying, paused, later];
  await Promise.all(all.map((listener) => listener.until('caught up')));
  await opened.add(9);
  await Promise.all(all.map((listener) => listener.until('live 9')));
  expect(all.map(({ seen }) => seen)).toEqual([
    ['live 4', 'live 5', 'live 6', 'gap', 'live 8', 'caught up', 'live 9'],
    ['past 5', 'past 6', 'gap', 'past 8', 'caught up', 'live 9'],
    ['gap', 'past 8', 'caught up', 'live 9'],
    ['past 8', 'caught up', 'live 9'],
  ]);
});

test('a listener that waits for a page while the stream is restored gets a gap first, and one that subscribes later gets none', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const looks = opened.proxy.pauseAt(replayLooks);
  const earlier = opened.listen(4);
  await looks;
  await redis.multi().del(opened.stream).xadd(opened.stream, '4-0', 'event', eventText(4)).exec();
  await opened.add(8);
  await live.until('gap');
  const later = opened.listen(4);
  opened.proxy.resume();
  await Promise.all([earlier, later].map((listener) => listener.until('caught up')));
  expect([earlier.seen, later.seen]).toEqual([
    ['gap', 'past 8', 'caught up'],
    ['past 8', 'caught up'],
  ]);
});

test('a replay notices trimmed entries of a stream that was restored to an earlier state before', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const consumed = [6, 32].map((number) => ({ number, ...Promise.withResolvers<void>() }));
  const slow = opened.listen(4, (number) => consumed.find((step) => step.number === number)?.promise);
  await slow.until('past 6');
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await redis.del(opened.stream);
  await opened.add(4, ...Array.from({ length: 60 }, (_, index) => index + 8));
  opened.proxy.resume();
  await live.until('live 67');
  consumed[0]?.resolve();
  await slow.until('past 32');
  await redis.xtrim(opened.stream, 'MINID', '35-0');
  consumed[1]?.resolve();
  await slow.until('caught up');
  const gaps = slow.seen.flatMap((entry, index) => (entry === 'gap' ? [slow.seen[index + 1]] : []));
  expect(gaps).toEqual(['past 8', 'past 35']);
});

test('a replay notices trimmed entries after a page that others have read from an earlier position on', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 1, 2, 3, 4, 5);
  const consumed = [5, 28].map((number) => ({ number, ...Promise.withResolvers<void>() }));
  const slow = opened.listen(0, (number) => consumed.find((step) => step.number === number)?.promise);
  await slow.until('past 5');
  await opened.add(...Array.from({ length: 495 }, (_, index) => index + 6));
  await live.until('live 500');
  // So many pages replace the first ones.
  await opened.listen(5).until('caught up');
  await opened.listen(3, () => new Promise(() => {})).until('past 4');
  consumed[0]?.resolve();
  await slow.until('past 28');
  await redis.xtrim(opened.stream, 'MINID', '31-0');
  consumed[1]?.resolve();
  await slow.until('past 31');
  expect(slow.seen.slice(27, 30)).toEqual(['past 28', 'gap', 'past 31']);
});

test('a listener gets nothing that others have read before the stream began anew', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const slow = opened.listen(4, () => new Promise(() => {}));
  await slow.until('past 5');
  await beginAnew(opened, live);
  await opened.add(5);
  const next = opened.listen(4);
  await next.until('caught up');
  // The new stream does not have the entry after which it resumes.
  expect(next.seen).toEqual(['gap', 'past 5', 'caught up']);
});

test('a listener that resumes after an entry that a restored stream has lost gets a gap first, also on a page that others have read', async () => {
  await using opened = await open();
  await opened.add(1, 2, 3);
  await redis.del(opened.stream);
  await opened.add(1, 7);
  const [lost, known] = [opened.listen(3), opened.listen(1, () => new Promise(() => {}))];
  await Promise.all([lost.until('caught up'), known.until('past 7')]);
  const onKnownPage = opened.listen(2);
  await onKnownPage.until('caught up');
  expect([lost.seen, known.seen, onKnownPage.seen]).toEqual([
    ['gap', 'past 7', 'caught up'],
    ['past 7'],
    ['gap', 'past 7', 'caught up'],
  ]);
});

test('a listener that resumes after an entry that was deleted gets no gap', async () => {
  await using opened = await open();
  await opened.add(1, 2, 3);
  await redis.xdel(opened.stream, '2-0');
  const resumed = opened.listen(2);
  await resumed.until('caught up');
  expect(resumed.seen).toEqual(['past 3', 'caught up']);
});

test('a listener that is ahead of the reader gets a gap when the stream is restored to a state between the two', async () => {
  await using opened = await open();
  const { live, ahead } = await listenAhead(opened);
  await redis.del(opened.stream);
  await opened.add(5, 6, 8);
  opened.proxy.resume();
  await live.until('live 8');
  await ahead.until('caught up');
  await opened.add(9);
  await ahead.until('live 9');
  expect(ahead.seen).toEqual(['past 6', 'past 7', 'gap', 'past 8', 'caught up', 'live 9']);
  expect(live.seen).toEqual(['live 6', 'live 8', 'live 9']);
});

test('a replay gets a gap when the stream is restored to a state between it and the reader while it waits for a client', async () => {
  await using opened = await open();
  const { live } = await listenAhead(opened);
  const consumed = Promise.withResolvers<void>();
  const slow = opened.listen(5, (number) => (number === 7 ? consumed.promise : undefined));
  await slow.until('past 7');
  await redis.del(opened.stream);
  await opened.add(5, 6, 8);
  opened.proxy.resume();
  await live.until('live 8');
  consumed.resolve();
  await slow.until('caught up');
  expect(slow.seen).toEqual(['past 6', 'past 7', 'gap', 'past 8', 'caught up']);
});

test('a replay that notices a restored stream before the reader gets one gap', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await redis.del(opened.stream);
  await opened.add(4, 8);
  const early = opened.listen(6);
  await early.until('past 8');
  await waitForTurns();
  opened.proxy.resume();
  await Promise.all([live.until('live 8'), early.until('caught up')]);
  await opened.add(9);
  await Promise.all([live.until('live 9'), early.until('live 9')]);
  expect(early.seen).toEqual(['gap', 'past 8', 'caught up', 'live 9']);
  expect(live.seen.slice(3)).toEqual(['gap', 'live 8', 'live 9']);
});

test('a replay that notices trimmed entries before the reader gets one gap', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5);
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(6);
  await looks;
  await opened.add(7, 8);
  await redis.xtrim(opened.stream, 'MINID', '8-0');
  const early = opened.listen(5);
  await early.until('past 8');
  await waitForTurns();
  opened.proxy.resume();
  await Promise.all([live.until('live 8'), early.until('caught up')]);
  expect(early.seen).toEqual(['gap', 'past 8', 'caught up']);
  expect(live.seen.slice(2)).toEqual(['gap', 'live 8']);
});

test('a replay of a stream that begins anew waits for the reader without reading again and again', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await redis.del(opened.stream);
  await opened.add(1);
  const early = opened.listen(6);
  await early.until('gap');
  await waitForTurns();
  const before = await countScripts(redis);
  for (let turn = 0; turn < 20; turn++) await redis.ping();
  expect((await countScripts(redis)) - before).toBe(0);
  opened.proxy.resume();
  await Promise.all([live.until('gap'), early.until('caught up')]);
  await opened.add(2);
  await early.until('live 2');
  expect(early.seen).toEqual(['gap', 'caught up', 'live 2']);
});

test.each<[string, (stream: string) => Promise<unknown>]>([
  [
    'restored',
    async (stream) => {
      await redis.del(stream);
      await redis.xadd(stream, '4-0', 'event', eventText(4));
      await redis.xadd(stream, '8-0', 'event', eventText(8));
    },
  ],
  [
    'trimmed',
    async (stream) => {
      await redis.xadd(stream, '8-0', 'event', eventText(8));
      await redis.xtrim(stream, 'MINID', '8-0');
    },
  ],
])('a listener that is paused at the gap of a stream that was %s gets it once', async (_, change) => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const paused = opened.listen(6, undefined, undefined, () => paused.flowControl?.pause());
  await paused.until('caught up');
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await change(opened.stream);
  opened.proxy.resume();
  await live.until('live 8');
  paused.flowControl?.resume();
  await paused.until('past 8');
  expect(paused.seen.slice(0, 3)).toEqual(['caught up', 'gap', 'past 8']);
});

test('a listener that was paused before the lost entries of a restored stream gets a gap', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4);
  const paused = opened.listen(4);
  await paused.until('caught up');
  paused.flowControl?.pause();
  await opened.add(5, 6);
  await live.until('live 6');
  await opened.redis.del(opened.stream);
  await opened.add(4, 8);
  await live.until('live 8');
  paused.flowControl?.resume();
  await paused.until('past 8');
  expect(paused.seen.slice(0, 3)).toEqual(['caught up', 'gap', 'past 8']);
});

test('a replay from before the lost entries of a restored stream gets one gap, also if the reader has not noticed the loss', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await opened.redis.del(opened.stream);
  await opened.add(4);
  const atEnd = opened.listen(4);
  await atEnd.until('gap');
  await opened.add(8);
  const early = opened.listen(4);
  await early.until('past 8');
  await waitForTurns();
  opened.proxy.resume();
  await Promise.all([live.until('live 8'), atEnd.until('caught up'), early.until('caught up')]);
  expect([atEnd.seen, early.seen]).toEqual([
    ['gap', 'past 8', 'caught up'],
    ['gap', 'past 8', 'caught up'],
  ]);
});

test('a listener gets no lost event of a restored stream from what others have read before', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4);
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(5);
  await looks;
  await opened.add(6);
  await opened.listen(4, () => new Promise(() => {})).until('past 5');
  await opened.redis.del(opened.stream);
  await opened.add(4);
  const resumed = opened.listen(6);
  await resumed.until('caught up');
  resumed.flowControl?.pause();
  resumed.flowControl?.resume();
  await opened.add(8);
  opened.proxy.resume();
  await live.until('live 8');
  while (!resumed.seen.some((entry) => entry.endsWith('8'))) await waitForTurns();
  expect(resumed.seen.filter((entry) => /^(past|live) [56]$/.test(entry))).toEqual([]);
});
