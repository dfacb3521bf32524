import { PatientRedis } from '../../redis/patientRedis.ts';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisStreamReader, type StreamEntry, type StreamGap } from '../../redis/redisStream.ts';
import { firstStreamId, isLaterId, nextId } from '../../redis/streamIds.ts';
import {
  hasGap,
  lookAtStream,
  placeAfter,
  placeAfterGap,
  readLook,
  type StreamPlace,
} from '../../redis/streamLook.ts';
import type { Timers } from '../../time/timers.ts';
import { isMalformed, readTopicEvent, type TopicEvent } from './topicEvent.ts';
import type { TopicListener, TopicListening } from './topicListener.ts';
import type { TopicProblems } from './topicProblems.ts';

export interface StreamTopicOptions {
  readonly config: RedisConfig;
  /** The whole key. */
  readonly stream: string;
  readonly maxEventBytes: number;
  readonly problems: TopicProblems;
  readonly timers?: Timers | undefined;
}

interface Member {
  readonly listener: TopicListener;
  /** It has got everything up to this entry, which is ahead of the reader. */
  until: string | undefined;
  /** It gets nothing more after this entry until it goes on. */
  pausedAt: string | undefined;
  isGone: boolean;
  /** Ends what is asked of Redis for it alone. */
  asking?: AbortController;
}

/** Entries in one look at the past. Every client that comes back holds so many. */
const batchSize = 25;

/** A Redis stream whose events go to all who listen in this process. It is read by one reader, for as long as this is
 *  open. Who wants past events gets them over one more connection, shared by all of these, and joins the others where
 *  the reader is. */
export class StreamTopic {
  readonly #options: StreamTopicOptions;
  readonly #reader: RedisStreamReader;
  readonly #members = new Set<Member>();
  readonly #live = new Set<Member>();
  readonly #started = Promise.withResolvers<void>();
  #isStarted = false;
  /** Redis could not be asked when the first ones began to listen. */
  #isLate = false;
  /** Up to here the live ones have got everything. */
  #position = firstStreamId;
  /** How often the reader has found a gap: ids may begin anew then. */
  #gaps = 0;
  #past: PatientRedis | undefined;

  constructor(options: StreamTopicOptions) {
    this.#options = options;
    const { config, stream, timers } = options;
    this.#reader = new RedisStreamReader({
      config,
      stream,
      onStart: (id) => this.#start(id),
      onEntries: async (entries) => {
        for (const entry of entries) this.#send(entry);
      },
      onGap: async (gap) => this.#sendGap(gap),
      onFailure: (failure) => {
        this.#isLate ||= !this.#isStarted;
        this.#report(failure);
      },
      ...(timers === undefined ? {} : { timers }),
    });
  }

  get size(): number {
    return this.#members.size;
  }

  /** With `after`, the id of an entry, everything after it; without, what is added from now on. */
  listen(after: string | undefined, listener: TopicListener): TopicListening {
    const member: Member = { listener, until: undefined, pausedAt: undefined, isGone: false };
    this.#members.add(member);
    if (after === undefined) this.#live.add(member);
    else void this.#catchUp(member, after);
    return {
      leave: () => {
        member.isGone = true;
        member.asking?.abort();
        this.#members.delete(member);
        this.#live.delete(member);
      },
      flow: { pause: () => this.#pause(member), resume: () => this.#resume(member), catchesUp: true },
    };
  }

  close(): void {
    for (const member of this.#members) member.isGone = true;
    this.#members.clear();
    this.#live.clear();
    this.#reader.close();
    this.#past?.close();
    this.#started.resolve();
  }

  #start(id: string): void {
    this.#position = id;
    this.#isStarted = true;
    this.#started.resolve();
    if (!this.#isLate) return;
    // Reading begins behind whatever was added meanwhile.
    this.#options.problems.report('events missed', this.#options.stream, `before ${id}`);
    for (const member of [...this.#live]) if (!member.isGone) member.listener.onGap();
  }

  /** Past events wait by themselves until they are taken. */
  #pause(member: Member): void {
    if (!this.#live.delete(member)) return;
    const { until } = member;
    member.pausedAt = until !== undefined && isLaterId(until, this.#position) ? until : this.#position;
    member.until = undefined;
  }

  #resume(member: Member): void {
    const { pausedAt } = member;
    if (pausedAt === undefined || member.isGone) return;
    member.pausedAt = undefined;
    void this.#catchUp(member, pausedAt);
  }

  #send(entry: StreamEntry): void {
    this.#position = entry.id;
    const event = this.#read(entry);
    for (const member of [...this.#live]) {
      if (member.isGone) continue;
      const hasIt = member.until !== undefined && !isLaterId(entry.id, member.until);
      if (!hasIt && event !== undefined) member.listener.onEvent(event);
      this.#join(member);
    }
  }

  #sendGap({ after, next }: StreamGap): void {
    this.#position = next;
    this.#gaps += 1;
    this.#options.problems.report('events missed', this.#options.stream, `after ${after}`);
    for (const member of [...this.#live]) {
      if (member.isGone) continue;
      // Ids begin anew: what comes next is none of what it has.
      if (isLaterId(after, next) && member.until !== undefined) member.until = firstStreamId;
      member.listener.onGap();
      this.#join(member);
    }
  }

  /** Where the reader is at the place of a member that was ahead, it is one of all. */
  #join(member: Member): void {
    if (member.isGone || member.until === undefined || isLaterId(member.until, this.#position)) return;
    member.until = undefined;
    member.listener.onCaughtUp();
  }

  async #catchUp(member: Member, after: string): Promise<void> {
    const { stream } = this.#options;
    member.asking = new AbortController();
    const { signal } = member.asking;
    let place: StreamPlace = { id: after, added: undefined, toldDeleted: firstStreamId };
    for (;;) {
      const gaps = this.#gaps;
      const reply = await this.#connection().run(
        lookAtStream,
        [stream],
        [nextId(place.id), batchSize],
        signal,
      );
      if (member.isGone || reply === undefined) return;
      const look = readLook(reply);
      if (hasGap(place, look)) {
        place = placeAfterGap(place, look);
        member.listener.onGap();
      }
      for (const entry of look.entries) {
        const event = this.#read(entry);
        if (event !== undefined) await member.listener.onPastEvent(event);
        if (member.isGone) return;
      }
      place = placeAfter(place, look, batchSize);
      await this.#started.promise;
      if (member.isGone) return;
      // Where the reader is behind, what it has still to read is known here; where it is ahead, there is more to read.
      // After a gap the two may not be in the same stream any more.
      if (gaps === this.#gaps && !isLaterId(this.#position, place.id)) break;
    }
    member.until = place.id;
    this.#live.add(member);
    this.#join(member);
  }

  #read({ id, fields }: StreamEntry): TopicEvent | undefined {
    const { maxEventBytes, problems, stream } = this.#options;
    const event = readTopicEvent(fields.get('event'), id, maxEventBytes);
    if (!isMalformed(event)) return event;
    problems.report('malformed event', stream, `${id}: ${event.reason}`);
    return undefined;
  }

  #connection(): PatientRedis {
    const { config, timers } = this.#options;
    this.#past ??= new PatientRedis({
      config,
      onFailure: (failure) => this.#report(failure),
      ...(timers === undefined ? {} : { timers }),
    });
    return this.#past;
  }

  #report({ kind, cause }: RedisFailure): void {
    this.#options.problems.report(kind, this.#options.stream, cause.message);
  }
}
