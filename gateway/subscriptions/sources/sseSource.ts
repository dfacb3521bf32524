import { createHttpStreamSource, type StreamFormat } from './httpStreamSource.ts';
import { mediaTypeOf } from './mediaType.ts';
import { parseEvent } from './readEvent.ts';
import { SseParser } from './sseParser.ts';
import type { SourceOptions, SubscriptionSource } from './subscriptionSource.ts';

/** Subscribes by server-sent events, as graphql-sse's distinct connections do it: a POST for each subscription. */
export function createSseSource(options: SourceOptions): SubscriptionSource {
  return createHttpStreamSource(sseFormat, options);
}

/** Comments after which a server counts as one that sends them again and again. Many send one to begin with. */
const minHeartbeatComments = 2;

const sseFormat: StreamFormat = {
  accept: 'text/event-stream',
  createReader: (contentType, maxEventBytes, { onResult, onComplete, onProblem }) => {
    if (mediaTypeOf(contentType) !== 'text/event-stream') return undefined;
    let comments = 0;
    const parser = new SseParser(maxEventBytes, {
      onComment: () => {
        comments += 1;
      },
      onEvent: (event, data) => {
        if (event === 'complete') {
          onComplete();
          return;
        }
        // Without a name: servers that know one kind of event only. Other names are passed over, as browsers do it.
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
      // The protocol asks for no comments: only who sends them is missed when they stay away.
      get expectsHeartbeats() {
        return comments >= minHeartbeatComments;
      },
    };
  },
};
