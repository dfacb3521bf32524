import { mediaTypeOf } from '../../subgraphs/mediaType.ts';
import { createHttpStreamSource, type StreamFormat } from './httpStreamSource.ts';
import { parseEvent } from './readEvent.ts';
import { SseParser } from './sseParser.ts';
import type { SourceOptions, SubscriptionSource } from './subscriptionSource.ts';

/** Subscribes with server-sent events in graphql-sse's distinct connections mode: one POST for each subscription. */
export function createSseSource(options: SourceOptions): SubscriptionSource {
  return createHttpStreamSource(sseFormat, options);
}

/** After this many comments, the server is expected to send comments as heartbeats. Many servers send just one, at the
 *  beginning. */
const minHeartbeatComments = 2;

const sseFormat: StreamFormat = {
  accept: 'text/event-stream',
  createReader: (contentType, maxEventBytes, { onResult, onEnd, onProblem }) => {
    if (mediaTypeOf(contentType) !== 'text/event-stream') return undefined;
    let comments = 0;
    const parser = new SseParser(maxEventBytes, {
      onComment: () => {
        comments += 1;
      },
      onEvent: (event, data) => {
        if (event === 'complete') {
          onEnd();
          return;
        }
        // Some servers send events without a name. Other names are ignored, as in browsers.
        if (event !== 'next' && event !== '') return;
        const parsed = parseEvent(data);
        if (parsed instanceof Error) onProblem(parsed);
        else onResult(parsed.json, data.length);
      },
      onProblem,
    });
    return {
      push: (chunk) => parser.push(chunk),
      stop: () => parser.stop(),
      // The protocol does not require comments, so only servers that send them are expected to continue.
      get expectsHeartbeats() {
        return comments >= minHeartbeatComments;
      },
    };
  },
};
