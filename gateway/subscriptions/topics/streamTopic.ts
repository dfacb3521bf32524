import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisStreamReader, type StreamEntry, type StreamGap } from '../../redis/redisStreamReader.ts';
import { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import { firstStreamId, isLaterId, nextId } from '../../redis/streamIds.ts';
import {
  hasGap,
  parseStreamProbe,
  positionAfter,
  positionAfterGap,
  type StreamPosition,
  streamProbeScript,
} from '../../redis/streamProbe.ts';
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
  hasUnsubscribed: boolean;
  /** Aborts the replay for this listener. */
  catchUpAbort?: AbortController;
}

/** Entries that a replay reads at once, and holds in memory. Large ones are fewer. */
const catchUpBatchSize = 25;

/** A Redis stream that sends its events to all listeners in this process. One reader reads the stream until `close`.
 *  Listeners that resume get past events over a second connection, shared by all of them, and join the live listeners when
 *  they have caught up with the reader. */
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
      hasUnsubscribed: false,
    };
    this.#listeners.add(member);
    if (after === undefined) this.#liveListeners.add(member);
    else void this.#catchUp(member, after);
    return {
      unsubscribe: () => {
        member.hasUnsubscribed = true;
        member.catchUpAbort?.abort();
        this.#listeners.delete(member);
        this.#liveListeners.delete(member);
      },
      flowControl: {
        pause: () => this.#pause(member),
        resume: () => this.#resume(member),
        replaysOnResume: true,
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
    if (this.#liveListeners.delete(member)) member.pausedAt = member.receivedUpTo ?? this.#position;
  }

  #resume(member: ListenerState): void {
    const { pausedAt } = member;
    if (pausedAt === undefined || member.hasUnsubscribed) return;
    member.pausedAt = undefined;
    void this.#catchUp(member, pausedAt);
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

  async #catchUp(member: ListenerState, after: string): Promise<void> {
    const { stream } = this.#options;
    member.catchUpAbort = new AbortController();
    const { signal } = member.catchUpAbort;
    let position: StreamPosition = { id: after, addedCount: undefined, reportedDeletedId: firstStreamId };
    for (;;) {
      const gapCount = this.#gapCount;
      const reply = await this.#openHistoryRedis().runScript(
        streamProbeScript,
        [stream],
        [nextId(position.id), catchUpBatchSize],
        signal,
      );
      if (member.hasUnsubscribed || reply === undefined) return;
      const probe = parseStreamProbe(reply);
      if (hasGap(position, probe)) {
        position = positionAfterGap(position, probe);
        member.listener.onGap();
      }
      for (const entry of probe.entries) {
        const event = this.#parse(entry);
        if (event !== undefined) await member.listener.onReplayedEvent(event);
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

  #parse({ id, fields }: StreamEntry): TopicEvent | undefined {
    const { maxEventBytes, problems, stream } = this.#options;
    const event = parseTopicEvent(fields.get('event'), id, maxEventBytes);
    if (!isMalformed(event)) return event;
    problems.report('malformed event', stream, `${id}: ${event.reason}`);
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
