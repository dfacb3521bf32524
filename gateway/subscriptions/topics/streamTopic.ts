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
import type { Timers } from '../../time/timers.ts';
import { isMalformed, parseTopicEvent, type TopicEvent } from './topicEvent.ts';
import type { TopicListener, TopicSubscription } from './topicListener.ts';
import type { TopicProblemLog } from './topicProblemLog.ts';

interface StreamTopicOptions {
  readonly config: RedisConfig;
  /** The whole key. */
  readonly stream: string;
  readonly maxEventBytes: number;
  readonly problems: TopicProblemLog;
  readonly timers?: Timers | undefined;
}

interface ListenerState {
  readonly listener: TopicListener;
  /** It has got everything up to this entry, which is ahead of the reader. */
  receivedUpTo: string | undefined;
  /** It gets nothing more after this entry until it goes on. */
  pausedAt: string | undefined;
  hasUnsubscribed: boolean;
  /** Ends what is asked of Redis for it alone. */
  catchUpAbort?: AbortController;
}

/** Entries in one look at the past. Every client that comes back holds so many. */
const catchUpBatchSize = 25;

/** A Redis stream whose events go to all who listen in this process. It is read by one reader, for as long as this is
 *  open. Who wants past events gets them over one more connection, shared by all of these, and joins the others where
 *  the reader is. */
export class StreamTopic {
  readonly #options: StreamTopicOptions;
  readonly #reader: RedisStreamReader;
  readonly #listeners = new Set<ListenerState>();
  readonly #liveListeners = new Set<ListenerState>();
  readonly #started = Promise.withResolvers<void>();
  #isStarted = false;
  /** Redis could not be asked when the first ones began to listen. */
  #hasStartFailed = false;
  /** Up to here the live ones have got everything. */
  #position = firstStreamId;
  /** How often the reader has found a gap: ids may begin anew then. */
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
        for (const entry of entries) this.#dispatch(entry);
      },
      onGap: async (gap) => this.#dispatchGap(gap),
      onFailure: (failure) => {
        this.#hasStartFailed ||= !this.#isStarted;
        this.#report(failure);
      },
      ...(timers === undefined ? {} : { timers }),
    });
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** With `after`, the id of an entry, everything after it; without, what is added from now on. */
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
    this.#started.resolve();
  }

  #onReaderStart(id: string): void {
    this.#position = id;
    this.#isStarted = true;
    this.#started.resolve();
    if (!this.#hasStartFailed) return;
    // Reading begins behind whatever was added meanwhile.
    this.#options.problems.report('events missed', this.#options.stream, `before ${id}`);
    for (const member of [...this.#liveListeners]) if (!member.hasUnsubscribed) member.listener.onGap();
  }

  /** Past events wait by themselves until they are taken. */
  #pause(member: ListenerState): void {
    if (!this.#liveListeners.delete(member)) return;
    const { receivedUpTo } = member;
    member.pausedAt =
      receivedUpTo !== undefined && isLaterId(receivedUpTo, this.#position) ? receivedUpTo : this.#position;
    member.receivedUpTo = undefined;
  }

  #resume(member: ListenerState): void {
    const { pausedAt } = member;
    if (pausedAt === undefined || member.hasUnsubscribed) return;
    member.pausedAt = undefined;
    void this.#catchUp(member, pausedAt);
  }

  #dispatch(entry: StreamEntry): void {
    this.#position = entry.id;
    const event = this.#parse(entry);
    for (const member of [...this.#liveListeners]) {
      if (member.hasUnsubscribed) continue;
      const hasIt = member.receivedUpTo !== undefined && !isLaterId(entry.id, member.receivedUpTo);
      if (!hasIt && event !== undefined) member.listener.onEvent(event);
      this.#joinLiveIfCaughtUp(member);
    }
  }

  #dispatchGap({ lastReadId, resumeAfterId }: StreamGap): void {
    this.#position = resumeAfterId;
    this.#gapCount += 1;
    this.#options.problems.report('events missed', this.#options.stream, `after ${lastReadId}`);
    for (const member of [...this.#liveListeners]) {
      if (member.hasUnsubscribed) continue;
      // Ids begin anew: what comes next is none of what it has.
      if (isLaterId(lastReadId, resumeAfterId) && member.receivedUpTo !== undefined)
        member.receivedUpTo = firstStreamId;
      member.listener.onGap();
      this.#joinLiveIfCaughtUp(member);
    }
  }

  /** Where the reader is at the place of a member that was ahead, it is one of all. */
  #joinLiveIfCaughtUp(member: ListenerState): void {
    if (
      member.hasUnsubscribed ||
      member.receivedUpTo === undefined ||
      isLaterId(member.receivedUpTo, this.#position)
    )
      return;
    member.receivedUpTo = undefined;
    member.listener.onCaughtUp();
  }

  async #catchUp(member: ListenerState, after: string): Promise<void> {
    const { stream } = this.#options;
    member.catchUpAbort = new AbortController();
    const { signal } = member.catchUpAbort;
    let place: StreamPosition = { id: after, addedCount: undefined, reportedDeletedId: firstStreamId };
    for (;;) {
      const gaps = this.#gapCount;
      const reply = await this.#openHistoryRedis().runScript(
        streamProbeScript,
        [stream],
        [nextId(place.id), catchUpBatchSize],
        signal,
      );
      if (member.hasUnsubscribed || reply === undefined) return;
      const look = parseStreamProbe(reply);
      if (hasGap(place, look)) {
        place = positionAfterGap(place, look);
        member.listener.onGap();
      }
      for (const entry of look.entries) {
        const event = this.#parse(entry);
        if (event !== undefined) await member.listener.onReplayedEvent(event);
        if (member.hasUnsubscribed) return;
      }
      place = positionAfter(place, look, catchUpBatchSize);
      await this.#started.promise;
      if (member.hasUnsubscribed) return;
      // Where the reader is behind, what it has still to read is known here; where it is ahead, there is more to read.
      // After a gap the two may not be in the same stream any more.
      if (gaps === this.#gapCount && !isLaterId(this.#position, place.id)) break;
    }
    member.receivedUpTo = place.id;
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
      ...(timers === undefined ? {} : { timers }),
    });
    return this.#historyRedis;
  }

  #report({ kind, cause }: RedisFailure): void {
    this.#options.problems.report(kind, this.#options.stream, cause.message);
  }
}
