import { createMultipartSource } from '../../../../gateway/subscriptions/sources/multipartSource.ts';
import { createSseSource } from '../../../../gateway/subscriptions/sources/sseSource.ts';
import type { SourceEndpoint } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import {
  createSourceFixture,
  type SourceFixture,
  type TestSubscription,
} from '../../../harness/sourceFixture.ts';
import { waitUntil } from '../../../harness/waitUntil.ts';
import type { OpenStream, StreamUpstream } from './streamUpstream.ts';

/** Both protocols with one HTTP response for each subscription. */
export const formats = [
  {
    name: 'SSE',
    create: createSseSource,
    accept: 'text/event-stream',
    contentType: 'text/event-stream; charset=utf-8',
    // After two comments, the source expects comments as heartbeats.
    start: ':\n\n:\n\n',
    event: (payload: unknown) => `event: next\ndata: ${JSON.stringify(payload)}\n\n`,
    end: 'event: complete\ndata:\n\n',
    heartbeat: ':\n\n',
    nonsense: 'event: next\ndata: {"data":\n\n',
  },
  {
    name: 'multipart',
    create: createMultipartSource,
    accept: 'multipart/mixed;subscriptionSpec=1.0, application/json',
    contentType: 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
    start: '\r\n--graphql',
    event: (payload: unknown) =>
      `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify({ payload })}\r\n--graphql`,
    end: '--\r\n',
    heartbeat: '\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql',
    nonsense: '\r\n\r\n{"payload":\r\n--graphql',
  },
];

export const tick = (value: number | string) => ({ data: { tick: value } });

/** The parts of a test that depend on the format. */
export function createFormatFixture(format: (typeof formats)[number]) {
  const sourceOf = (url: string, more?: Partial<SourceEndpoint>): SourceFixture =>
    createSourceFixture(format.create, url, more);

  /** A stream whose head and first bytes were sent. */
  async function established(
    at: SourceFixture,
    upstream: StreamUpstream,
  ): Promise<TestSubscription & { stream: OpenStream }> {
    const subscribed = at.subscribe();
    const stream = await begun(upstream);
    await waitUntil(() => at.acceptedSubgraphs.length === 1);
    return { ...subscribed, stream };
  }

  async function begun(upstream: StreamUpstream): Promise<OpenStream> {
    const stream = await upstream.next();
    stream.begin(format.contentType);
    stream.write(format.start);
    return stream;
  }

  return { sourceOf, established, begun };
}
