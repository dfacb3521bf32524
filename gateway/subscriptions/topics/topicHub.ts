import type { RedisConfig } from '../../redis/redisOptions.ts';
import type { Timers } from '../../time/timers.ts';
import { StreamTopic } from './streamTopic.ts';
import type { TopicBus } from './topicBus.ts';
import type { TopicField } from './topicField.ts';
import type { TopicListener, TopicSubscription } from './topicListener.ts';
import type { TopicProblemLog } from './topicProblemLog.ts';

interface TopicHubOptions {
  readonly config: RedisConfig;
  readonly bus: TopicBus;
  /** Maximum bytes of an event of a stream. */
  readonly maxEventBytes: number;
  readonly problems: TopicProblemLog;
  readonly timers: Timers;
}

/** The topics of this process. A stream is read while it has listeners in this process. */
export class TopicHub {
  readonly #options: TopicHubOptions;
  readonly #streams = new Map<string, StreamTopic>();
  #isClosed = false;

  constructor(options: TopicHubOptions) {
    this.#options = options;
  }

  /** `after`: the id of a stream entry; events after it are replayed first. */
  subscribe(
    { stream, topic = '' }: TopicField,
    after: string | undefined,
    listener: TopicListener,
  ): TopicSubscription {
    if (this.#isClosed) return { unsubscribe: () => {} };
    return stream === undefined
      ? this.#options.bus.subscribe(topic, listener)
      : this.#subscribeToStream(stream, after, listener);
  }

  close(): void {
    this.#isClosed = true;
    for (const topic of this.#streams.values()) topic.close();
    this.#streams.clear();
  }

  #subscribeToStream(stream: string, after: string | undefined, listener: TopicListener): TopicSubscription {
    let topic = this.#streams.get(stream);
    if (topic === undefined) {
      topic = new StreamTopic({ ...this.#options, stream });
      this.#streams.set(stream, topic);
    }
    const open = topic;
    const subscription = open.subscribe(after, listener);
    const unsubscribe = (): void => {
      subscription.unsubscribe();
      if (open.size > 0 || this.#streams.get(stream) !== open) return;
      this.#streams.delete(stream);
      open.close();
    };
    return { ...subscription, unsubscribe };
  }
}
