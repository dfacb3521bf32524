import type { RedisConfig } from '../../redis/redisOptions.ts';
import type { Timers } from '../../time/timers.ts';
import { StreamTopic } from './streamTopic.ts';
import type { TopicBus } from './topicBus.ts';
import type { TopicField } from './topicField.ts';
import type { TopicListener, TopicListening } from './topicListener.ts';
import type { TopicProblems } from './topicProblems.ts';

export interface TopicHubOptions {
  readonly config: RedisConfig;
  readonly bus: TopicBus;
  /** Largest event of a stream. */
  readonly maxEventBytes: number;
  readonly problems: TopicProblems;
  readonly timers?: Timers | undefined;
}

/** The topics that somebody in this process listens to. A stream is read from the first listener on, and not any more
 *  once the last has left. */
export class TopicHub {
  readonly #options: TopicHubOptions;
  readonly #streams = new Map<string, StreamTopic>();
  #isClosed = false;

  constructor(options: TopicHubOptions) {
    this.#options = options;
  }

  /** Streams that are read. */
  get size(): number {
    return this.#streams.size;
  }

  /** `after`: id of the entry of a stream after which it begins; only from now on when left out. */
  listen(
    { stream, topic = '' }: TopicField,
    after: string | undefined,
    listener: TopicListener,
  ): TopicListening {
    if (this.#isClosed) return { leave: () => {} };
    return stream === undefined
      ? this.#options.bus.listen(topic, listener)
      : this.#listenToStream(stream, after, listener);
  }

  close(): void {
    this.#isClosed = true;
    for (const topic of this.#streams.values()) topic.close();
    this.#streams.clear();
  }

  #listenToStream(stream: string, after: string | undefined, listener: TopicListener): TopicListening {
    let topic = this.#streams.get(stream);
    if (topic === undefined) {
      topic = new StreamTopic({ ...this.#options, stream });
      this.#streams.set(stream, topic);
    }
    const open = topic;
    const listening = open.listen(after, listener);
    const leave = (): void => {
      listening.leave();
      if (open.size > 0 || this.#streams.get(stream) !== open) return;
      this.#streams.delete(stream);
      open.close();
    };
    return { ...listening, leave };
  }
}
