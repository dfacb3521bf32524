import { isObject } from '../../json/isObject.ts';
import { mediaTypeOf, parameterOf } from '../../subgraphs/mediaType.ts';
import { createHttpStreamSource, type StreamFormat } from './httpStreamSource.ts';
import { MultipartParser } from './multipartParser.ts';
import { parseEvent } from './readEvent.ts';
import type { SourceOptions, SubscriptionSource } from './subscriptionSource.ts';

/** Subscribes with Apollo's multipart protocol: one POST for each subscription, one part for each event. */
export function createMultipartSource(options: SourceOptions): SubscriptionSource {
  return createHttpStreamSource(multipartFormat, options);
}

const multipartFormat: StreamFormat = {
  accept: 'multipart/mixed;subscriptionSpec=1.0, application/json',
  createReader: (contentType, maxEventBytes, { onResult, onEnd, onProblem }) => {
    if (mediaTypeOf(contentType) !== 'multipart/mixed') return undefined;
    const parser = new MultipartParser(parameterOf(contentType, 'boundary') ?? '-', maxEventBytes, {
      onPart: (body) => {
        const parsed = parseEvent(body);
        if (parsed instanceof Error) onProblem(parsed);
        else readPart(parsed.json, body.length);
      },
      onEnd: () => onEnd(),
      onProblem,
    });
    return {
      push: (chunk) => parser.push(chunk),
      stop: () => parser.stop(),
      expectsHeartbeats: true,
    };

    function readPart(part: unknown, size: number): void {
      const { payload, errors, data } = isObject(part) ? part : {};
      if (payload !== undefined && payload !== null) onResult(payload, size);
      else if (payload === null) onEnd(errors);
      // A result without the `payload` wrapper is accepted too. Any other part is reported as an invalid result.
      else if (data !== undefined || hasErrors(errors) || !isHeartbeat(part)) onResult(part, size);
    }
  },
};

function isHeartbeat(part: unknown): boolean {
  return isObject(part) && Object.keys(part).length === 0;
}

function hasErrors(errors: unknown): boolean {
  return errors !== undefined && errors !== null && !(Array.isArray(errors) && errors.length === 0);
}
