import type { ServerResponse } from 'node:http';
import type { SubscriptionEvents, SubscriptionPayload } from '../../response/subscriptionEvents.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import type { PayloadEncoding } from '../streams/payloadEncoding.ts';
import { ChunkWriter } from './chunkWriter.ts';
import { type PayloadStreamOptions, writePayloads } from './writePayloads.ts';

/** Writes the events of a subscription as they arrive. Events for many clients bypass `writePayloads` while the client reads
 *  fast enough. */
export function writeEvents(
  response: ServerResponse,
  events: SubscriptionEvents,
  encoding: PayloadEncoding<SubscriptionPayload>,
  options: PayloadStreamOptions,
): Promise<void> {
  const { record, bufferSize, timers } = options;
  return writePayloads(response, new SingleEventBatches(events[Symbol.asyncIterator](), record), encoding, {
    ...options,
    startDirectWrites: () => {
      const writer = ChunkWriter.for(response, { encoding, record, bufferSize, timers });
      if (writer !== undefined) events.setDirectWriter?.(writer);
      return () => writer?.writtenAtMs ?? 0;
    },
  });
}

/** Wraps each event of a subscription in a batch, for `writePayloads`. */
class SingleEventBatches implements AsyncIterator<readonly SubscriptionPayload[]> {
  readonly #events: AsyncIterator<SubscriptionPayload>;
  readonly #record: RequestRecord | undefined;

  constructor(events: AsyncIterator<SubscriptionPayload>, record: RequestRecord | undefined) {
    this.#events = events;
    this.#record = record;
  }

  async next(): Promise<IteratorResult<readonly SubscriptionPayload[]>> {
    const step = await this.#events.next();
    if (step.done === true) return { done: true, value: undefined };
    this.#record?.checkEvent(step.value.text);
    return { done: false, value: [step.value] };
  }

  async return(): Promise<IteratorResult<readonly SubscriptionPayload[]>> {
    await this.#events.return?.();
    return { done: true, value: undefined };
  }
}
