import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisStreamReader, type StreamEntry, type StreamGap } from '../../redis/redisStreamReader.ts';
import { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import { firstStreamId, isLaterId, nextId } from '../../redis/streamIds.ts';
import {
  findGap,
  isRestored,
  parseStreamProbe,
  positionAfter,
  positionAfterGap,
  positionAt,
  type StreamPosition,
  type StreamProbe,
  streamProbeScript,
} from '../../redis/streamProbe.ts';
import { type Flight, SingleFlight } from '../../sharing/singleFlight.ts';
import { waitForTurn } from '../../time/eventLoopTurn.ts';
import type { Timers } from '../../time/timers.ts';
import { isMalformed, parseTopicEvent, type TopicEvent } from './topicEvent.ts';
import type { TopicListener, TopicSubscription } from './topicListener.ts';
import type { TopicProblemLog } from './topicProblemLog.ts';

interface StreamTopicOptions {
  readonly config: RedisConfig;
  /** The full key, without `redis.keyPrefix`. */
  readonly stream: string;
  readonly maxEventBytes: number;
  readonly problems: TopicProblemLog;
  readonly timers: Timers;
}

interface ListenerState {
  readonly listener: TopicListener;
  /** Where the listener was paused. */
  pausedAt: StreamPosition | undefined;
  /** How many restores of the stream the listener knows of. Not counted while it is live. */
  knownRestoreCount: number;
  hasUnsubscribed: boolean;
  /** Set while the replay for this listener waits for a page. */
  stopWaiting?: () => void;
}

/** A replay that waits for the reader, which is behind it. */
interface WaitingReplay {
  /** Up to where its listener has received everything. */
  readonly position: StreamPosition;
  /** `hasEnded`: the listener is live or paused. Otherwise the replay reads on. */
  resume(hasEnded: boolean): void;
}

/** Past entries that were read together. */
interface HistoryPage {
  /** The id after which they were read. */
  readonly after: string;
  /** The id after which reading continues. */
  readonly end: string;
  readonly probe: StreamProbe;
  readonly events: readonly TopicEvent[];
  /** How many restores the reader had found before. */
  readonly restoreCount: number;
  /** Where the reader was before. */
  readonly readerPosition: StreamPosition;
}

type PageReceiver = (page: HistoryPage | undefined) => void;

/** Entries that a replay reads at once, and holds in memory. Large ones are fewer. */
const catchUpBatchSize = 25;

/** The position before the reader has begun. A listener that was paused then continues where the reader began. */
const beforeStart = positionAt(firstStreamId, false);

/** Pages that stay in memory for other replays, while there are any. */
const maxPages = 16;

/** A Redis stream that sends its events to all listeners in this process. One reader reads the stream until `close`.
 *  Listeners that resume get past events over a second connection, shared by all of them, and join the live listeners when
 *  they have caught up with the reader. Listeners with similar positions share what is read: after a restart, thousands of
 *  clients may resume at once. */
export class StreamTopic {
  readonly #options: StreamTopicOptions;
  readonly #reader: RedisStreamReader;
  readonly #listeners = new Set<ListenerState>();
  readonly #liveListeners = new Set<ListenerState>();
  /** Resolves with the position at which the reader began. */
  readonly #started = Promise.withResolvers<StreamPosition>();
  #isStarted = false;
  /** Redis was unavailable when the first listeners subscribed. */
  #hasStartFailed = false;
  /** Up to where the live listeners have received everything. */
  #position = beforeStart;
  /** How often the reader has found that the stream was restored. Then ids may start anew. */
  #restoreCount = 0;
  /** The id of the last entry that was read before the last restore. */
  #lostUpTo = firstStreamId;
  #historyRedis: RetryingRedisClient | undefined;
  readonly #reads = new SingleFlight<PageReceiver>();
  /** The latest pages. */
  #pages: HistoryPage[] = [];
  readonly #replaying = new Set<ListenerState>();
  readonly #waitingReplays = new Map<ListenerState, WaitingReplay>();

  constructor(options: StreamTopicOptions) {
    this.#options = options;
    const { config, stream, timers } = options;
    this.#reader = new RedisStreamReader({
      config,
      stream,
      onStart: (position) => this.#onReaderStart(position),
      onEntries: async (entries) => {
        for (const entry of entries) {
          const turn = waitForTurn();
          if (turn !== undefined) await turn;
          this.#dispatch(entry);
        }
      },
      onGap: async (gap) => this.#dispatchGap(gap),
      onFailure: (failure) => {
        this.#hasStartFailed ||= !this.#isStarted;
        this.#report(failure);
      },
      timers,
    });
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** Sends all entries after the id `after`; without `after`, the entries that are added from now on. */
  subscribe(after: string | undefined, listener: TopicListener): TopicSubscription {
    const member: ListenerState = {
      listener,
      pausedAt: undefined,
      knownRestoreCount: this.#restoreCount,
      hasUnsubscribed: false,
    };
    this.#listeners.add(member);
    if (after === undefined) this.#liveListeners.add(member);
    else void this.#replay(member, positionAt(after, true));
    return {
      unsubscribe: () => {
        member.hasUnsubscribed = true;
        member.stopWaiting?.();
        // An event that it has not consumed would keep its replay from ending.
        this.#endReplay(member);
        this.#listeners.delete(member);
        this.#liveListeners.delete(member);
        this.#waitingReplays.delete(member);
      },
      flowControl: {
        pause: () => this.#pause(member),
        resume: () => this.#resume(member),
      },
    };
  }

  close(): void {
    for (const member of this.#listeners) member.hasUnsubscribed = true;
    this.#listeners.clear();
    this.#liveListeners.clear();
    this.#waitingReplays.clear();
    this.#reader.close();
    this.#historyRedis?.close();
  }

  #onReaderStart(position: StreamPosition): void {
    this.#position = position;
    this.#isStarted = true;
    this.#started.resolve(position);
    if (!this.#hasStartFailed) return;
    // The reader starts after the entries that were added while Redis was unavailable.
    this.#options.problems.report('events missed', this.#options.stream, `before ${position.id}`);
    for (const { listener } of this.#liveListeners) listener.onGap();
  }

  /** A listener that receives past events needs no pause: its next event is sent when the previous one was consumed. */
  #pause(member: ListenerState): void {
    if (this.#liveListeners.delete(member)) {
      member.pausedAt = this.#position;
      member.knownRestoreCount = this.#restoreCount;
    }
    const replay = this.#waitingReplays.get(member);
    if (replay === undefined) return;
    this.#waitingReplays.delete(member);
    member.pausedAt = replay.position;
    replay.resume(true);
  }

  #resume(member: ListenerState): void {
    const { pausedAt } = member;
    if (pausedAt === undefined || member.hasUnsubscribed) return;
    member.pausedAt = undefined;
    if (this.#isStarted) void this.#replay(member, pausedAt);
    else this.#addCaughtUp(member);
  }

  /** All live listeners receive an entry in one turn of the event loop, so that equal ones can be merged between entries. */
  #dispatch(entry: StreamEntry): void {
    this.#position = positionAt(entry.id, true);
    const event = this.#parse(entry);
    for (const { hasUnsubscribed, listener } of [...this.#liveListeners])
      if (!hasUnsubscribed && event !== undefined) listener.onEvent(event);
    for (const [member, replay] of this.#waitingReplays) {
      if (isLaterId(replay.position.id, entry.id)) continue;
      this.#waitingReplays.delete(member);
      // If the reader has not read that entry, the stream may have been restored to a state between the two.
      const hasReached = replay.position.id === entry.id;
      if (hasReached) this.#addCaughtUp(member);
      replay.resume(hasReached);
    }
  }

  #dispatchGap({ lastReadId, isRestored, next }: StreamGap): void {
    this.#position = next;
    this.#pages = [];
    if (isRestored) {
      this.#restoreCount += 1;
      this.#lostUpTo = lastReadId;
    }
    this.#options.problems.report('events missed', this.#options.stream, `after ${lastReadId}`);
    for (const { listener } of this.#liveListeners) listener.onGap();
    // Replays find the gaps after their own positions.
    for (const replay of this.#waitingReplays.values()) replay.resume(false);
    this.#waitingReplays.clear();
  }

  #addCaughtUp(member: ListenerState): void {
    this.#liveListeners.add(member);
    member.listener.onCaughtUp();
  }

  async #replay(member: ListenerState, after: StreamPosition): Promise<void> {
    this.#replaying.add(member);
    await this.#catchUp(member, after);
    this.#endReplay(member);
  }

  #endReplay(member: ListenerState): void {
    this.#replaying.delete(member);
    if (this.#replaying.size === 0) this.#pages = [];
  }

  async #catchUp(member: ListenerState, start: StreamPosition): Promise<void> {
    let position = start;
    if (start === beforeStart) {
      position = await this.#started.promise;
      if (this.#hasStartFailed && !member.hasUnsubscribed) member.listener.onGap();
      if (member.hasUnsubscribed) return;
    }
    for (;;) {
      const page = await this.#readPage(position.id, member);
      // Pages that others have read need no wait for Redis.
      await waitForTurn();
      if (member.hasUnsubscribed || page === undefined) return;
      const { after, events, restoreCount, readerPosition } = page;
      const received = position.id;
      const probe = probeOf(page, received);
      const gap = findGap(position, probe);
      if (this.#lacksLostEntries(member, received, page) || gap !== undefined) {
        // Other pages may have entries that are lost.
        if (gap === 'restored') this.#pages = [];
        position = positionAfterGap(position, probe, gap);
        member.listener.onGap();
      }
      for (const event of events) {
        if (after === received || isLaterId(event.id as string, received))
          await member.listener.onReplayedEvent(event);
        if (member.hasUnsubscribed) return;
      }
      position = positionAfter(position, probe);
      await this.#started.promise;
      if (member.hasUnsubscribed) return;
      // After a restore, ids of the reader and this replay cannot be compared.
      if (restoreCount !== this.#restoreCount) continue;
      if (position.id === this.#position.id) return this.#addCaughtUp(member);
      const isAhead = isLaterId(position.id, this.#position.id);
      // If the reader was ahead already, it has not yet noticed that the stream was restored.
      const isAtEnd = probe.entries.length === 0 && readerPosition === this.#position;
      if ((isAhead || isAtEnd) && (await this.#waitForReader(member, position))) return;
    }
  }

  /** Whether a restore that the listener does not know of has lost entries that follow what it has received. The reader may
   *  notice the restore later. */
  #lacksLostEntries(member: ListenerState, received: string, page: HistoryPage): boolean {
    const { readerPosition } = page;
    const isNoticedFirst = isRestored(readerPosition, probeOf(page, readerPosition.id));
    const restoreCount = page.restoreCount + (isNoticedFirst ? 1 : 0);
    if (restoreCount <= member.knownRestoreCount) return false;
    member.knownRestoreCount = restoreCount;
    return isLaterId(isNoticedFirst ? readerPosition.id : this.#lostUpTo, received);
  }

  /** Resolves when the reader has reached the position or found a gap, with true if the replay has ended. */
  #waitForReader(member: ListenerState, position: StreamPosition): Promise<boolean> {
    return new Promise((resume) => this.#waitingReplays.set(member, { position, resume }));
  }

  /** Resolves with a page that contains the next entries after an id, or with `undefined` when the listener has
   *  unsubscribed, the topic is closed, or Redis has refused the command. */
  async #readPage(after: string, member: ListenerState): Promise<HistoryPage | undefined> {
    const known =
      this.#pages.find((page) => page.after === after) ??
      this.#pages.find((page) => isLaterId(after, page.after) && isLaterId(page.end, after));
    if (known !== undefined) return known;
    const flight = this.#reads.find(after) ?? this.#startRead(after);
    return new Promise((resolve) => {
      flight.add(resolve);
      const stopWaiting = (): void => {
        flight.leave(resolve);
        resolve(undefined);
      };
      member.stopWaiting = stopWaiting;
    });
  }

  #startRead(after: string): Flight<PageReceiver> {
    const abort = new AbortController();
    const flight = this.#reads.tryLead(after, {
      onJoin: () => undefined,
      onLeave: () => {
        if (flight.joiners.length > 0) return;
        flight.settle();
        abort.abort();
      },
    }) as Flight<PageReceiver>;
    void this.#read(after, abort.signal).then((page) => {
      for (const receive of flight.settle()) receive(page);
    });
    return flight;
  }

  async #read(after: string, signal: AbortSignal): Promise<HistoryPage | undefined> {
    const [restoreCount, readerPosition] = [this.#restoreCount, this.#position];
    const args = [nextId(after), catchUpBatchSize, after];
    const redis = this.#openHistoryRedis();
    const reply = await redis.runScript(streamProbeScript, [this.#options.stream], args, signal);
    if (reply === undefined) return undefined;
    const probe = parseStreamProbe(reply);
    const { id: end } = positionAfter(positionAt(after, true), probe);
    const events = probe.entries.flatMap((entry) => this.#parse(entry) ?? []);
    const page = { after, end, probe, events, restoreCount, readerPosition };
    if (probe.entries.length > 0 && restoreCount === this.#restoreCount)
      this.#pages = [page, ...this.#pages.slice(0, maxPages - 1)];
    return page;
  }

  #parse({ id, fields }: StreamEntry): TopicEvent | undefined {
    const { maxEventBytes, problems, stream } = this.#options;
    const event = parseTopicEvent(fields.get('event'), id, maxEventBytes);
    if (!isMalformed(event)) return event;
    problems.report('malformed event', stream, `${id}: ${event.reason}`, id);
    return undefined;
  }

  #openHistoryRedis(): RetryingRedisClient {
    const { config, timers } = this.#options;
    this.#historyRedis ??= new RetryingRedisClient({
      config,
      onFailure: (failure) => this.#report(failure),
      timers,
    });
    return this.#historyRedis;
  }

  #report({ kind, cause }: RedisFailure): void {
    this.#options.problems.report(kind, this.#options.stream, cause.message);
  }
}

/** The probe as if it was of the entries after this id. An entry that the page does not reach counts as existing. */
function probeOf({ after, end, probe }: HistoryPage, id: string): StreamProbe {
  if (id === after) return probe;
  const isReached = isLaterId(id, after) && !isLaterId(id, end);
  return { ...probe, hasEntry: !isReached || probe.entries.some((entry) => entry.id === id) };
}
