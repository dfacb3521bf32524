import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisStreamReader, type StreamEntry, type StreamGap } from '../../redis/redisStreamReader.ts';
import { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import { firstStreamId, isLaterId, nextId } from '../../redis/streamIds.ts';
import {
  hasGap,
  hasLostEntry,
  parseStreamProbe,
  positionAfter,
  positionAfterGap,
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
  /** The id of the entry up to which the listener has received everything, if it is ahead of the reader. */
  receivedUpTo: string | undefined;
  /** The id of the last entry before the listener was paused. */
  pausedAt: string | undefined;
  /** How many gaps of the reader the listener knows of. Not counted while it is live. */
  knownGapCount: number;
  hasUnsubscribed: boolean;
  /** Set while the replay for this listener waits for a page. */
  stopWaiting?: () => void;
}

/** Past entries that were read together. */
interface HistoryPage {
  /** The id after which they were read. */
  readonly after: string;
  /** The id after which reading continues. */
  readonly end: string;
  readonly probe: StreamProbe;
  readonly events: readonly TopicEvent[];
  /** How many gaps the reader had found before. */
  readonly gapCount: number;
}

type PageReceiver = (page: HistoryPage | undefined) => void;

/** Entries that a replay reads at once, and holds in memory. Large ones are fewer. */
const catchUpBatchSize = 25;

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
  readonly #started = Promise.withResolvers<void>();
  #isStarted = false;
  /** Redis was unavailable when the first listeners subscribed. */
  #hasStartFailed = false;
  /** The id of the last entry that the live listeners received. */
  #position = firstStreamId;
  /** How many gaps the reader has found. After a gap, ids may start anew. */
  #gapCount = 0;
  #historyRedis: RetryingRedisClient | undefined;
  readonly #reads = new SingleFlight<PageReceiver>();
  /** The latest pages. */
  #pages: HistoryPage[] = [];
  readonly #replaying = new Set<ListenerState>();

  constructor(options: StreamTopicOptions) {
    this.#options = options;
    const { config, stream, timers } = options;
    this.#reader = new RedisStreamReader({
      config,
      stream,
      onStart: (id) => this.#onReaderStart(id),
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
      receivedUpTo: undefined,
      pausedAt: undefined,
      knownGapCount: this.#gapCount,
      hasUnsubscribed: false,
    };
    this.#listeners.add(member);
    if (after === undefined) this.#liveListeners.add(member);
    else void this.#replay(member, after, after);
    return {
      unsubscribe: () => {
        member.hasUnsubscribed = true;
        member.stopWaiting?.();
        // An event that it has not consumed would keep its replay from ending.
        this.#endReplay(member);
        this.#listeners.delete(member);
        this.#liveListeners.delete(member);
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
    this.#reader.close();
    this.#historyRedis?.close();
  }

  #onReaderStart(id: string): void {
    this.#position = id;
    this.#isStarted = true;
    this.#started.resolve();
    if (!this.#hasStartFailed) return;
    // The reader starts after the entries that were added while Redis was unavailable.
    this.#options.problems.report('events missed', this.#options.stream, `before ${id}`);
    for (const { listener } of this.#liveListeners) listener.onGap();
  }

  /** A listener that replays needs no pause: its next event is sent when the previous one was consumed. */
  #pause(member: ListenerState): void {
    if (!this.#liveListeners.delete(member)) return;
    member.pausedAt = member.receivedUpTo ?? this.#position;
    member.knownGapCount = this.#gapCount;
  }

  #resume(member: ListenerState): void {
    const { pausedAt } = member;
    if (pausedAt === undefined || member.hasUnsubscribed) return;
    member.pausedAt = undefined;
    void this.#replay(member, pausedAt);
  }

  /** All live listeners receive an entry in one turn of the event loop, so that equal ones can be merged between entries. */
  #dispatch(entry: StreamEntry): void {
    this.#position = entry.id;
    const event = this.#parse(entry);
    for (const member of [...this.#liveListeners]) {
      if (member.hasUnsubscribed) continue;
      const hasReceived = member.receivedUpTo !== undefined && !isLaterId(entry.id, member.receivedUpTo);
      this.#joinLiveIfCaughtUp(member);
      if (!hasReceived && event !== undefined) member.listener.onEvent(event);
    }
  }

  #dispatchGap({ lastReadId, resumeAfterId }: StreamGap): void {
    this.#position = resumeAfterId;
    this.#gapCount += 1;
    this.#pages = [];
    this.#options.problems.report('events missed', this.#options.stream, `after ${lastReadId}`);
    for (const member of this.#liveListeners) {
      // Ids start anew, so the listener has received none of the next entries.
      if (isLaterId(lastReadId, resumeAfterId) && member.receivedUpTo !== undefined)
        member.receivedUpTo = firstStreamId;
      this.#joinLiveIfCaughtUp(member);
      member.listener.onGap();
    }
  }

  /** A listener that was ahead of the reader becomes a normal live listener when the reader reaches its position. */
  #joinLiveIfCaughtUp(member: ListenerState): void {
    const { receivedUpTo } = member;
    if (receivedUpTo === undefined || isLaterId(receivedUpTo, this.#position)) return;
    member.receivedUpTo = undefined;
    member.listener.onCaughtUp();
  }

  /** `cursor`: the id of the last event that the client received, if it resumes. */
  async #replay(member: ListenerState, after: string, cursor?: string): Promise<void> {
    this.#replaying.add(member);
    await this.#catchUp(member, after, cursor);
    this.#endReplay(member);
  }

  #endReplay(member: ListenerState): void {
    this.#replaying.delete(member);
    if (this.#replaying.size === 0) this.#pages = [];
  }

  async #catchUp(member: ListenerState, start: string, cursor?: string): Promise<void> {
    let position = positionAt(start);
    for (;;) {
      const page = await this.#readPage(position.id, member);
      // Pages that others have read need no wait for Redis.
      await waitForTurn();
      if (member.hasUnsubscribed || page === undefined) return;
      const { after, probe, events, gapCount } = page;
      const received = position.id;
      const isCursorLost =
        received === cursor && !hasEntryOf(page, received) && hasLostEntry(received, probe);
      // Where the stream was restored to an earlier state, only the reader has the count of entries that shows it.
      const hasMissedGap = gapCount > member.knownGapCount;
      if (hasMissedGap || isCursorLost || hasGap(position, probe)) {
        // The number that a restored stream had at this id is not known.
        const before = hasMissedGap ? positionAt(received) : position;
        position = positionAfterGap(before, probe);
        member.knownGapCount = gapCount;
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
      // If the reader is behind, this replay has already read its next entries. If the reader is ahead, read on. After a gap,
      // ids of the two cannot be compared.
      if (gapCount === this.#gapCount && !isLaterId(this.#position, position.id)) break;
    }
    member.receivedUpTo = position.id;
    this.#liveListeners.add(member);
    this.#joinLiveIfCaughtUp(member);
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
    const gapCount = this.#gapCount;
    const args = [nextId(after), catchUpBatchSize, after];
    const redis = this.#openHistoryRedis();
    const reply = await redis.runScript(streamProbeScript, [this.#options.stream], args, signal);
    if (reply === undefined) return undefined;
    const probe = parseStreamProbe(reply);
    const { id: end } = positionAfter(positionAt(after), probe);
    const events = probe.entries.flatMap((entry) => this.#parse(entry) ?? []);
    const page = { after, end, probe, events, gapCount };
    if (probe.entries.length > 0 && gapCount === this.#gapCount)
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

function hasEntryOf({ after, probe }: HistoryPage, id: string): boolean {
  return after === id ? probe.hasEntry : probe.entries.some((entry) => entry.id === id);
}

/** The position of a listener that has received everything up to an id. */
function positionAt(id: string): StreamPosition {
  return { id, addedCount: undefined, reportedDeletedId: firstStreamId };
}
