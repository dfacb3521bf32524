import { createHttpStreamSource, type StreamFormat } from './httpStreamSource.ts';
import { mediaTypeOf, parameterOf } from './mediaType.ts';
import { MultipartParser } from './multipartParser.ts';
import { parseEvent } from './readEvent.ts';
import type { SourceOptions, SubscriptionSource } from './subscriptionSource.ts';

/** Subscribes by Apollo's multipart protocol: a POST for each subscription, a part for each event. */
export function createMultipartSource(options: SourceOptions): SubscriptionSource {
  return createHttpStreamSource(multipartFormat, options);
}

const multipartFormat: StreamFormat = {
  accept: 'multipart/mixed;subscriptionSpec=1.0, application/json',
  createReader: (contentType, maxEventBytes, { onResult, onErrors, onComplete, onProblem }) => {
    if (mediaTypeOf(contentType) !== 'multipart/mixed') return undefined;
    const parser = new MultipartParser(parameterOf(contentType, 'boundary') ?? '-', maxEventBytes, {
      onPart: (body) => {
        const parsed = parseEvent(body);
        if (parsed instanceof Error) onProblem(parsed);
        else readPart(parsed.json, body.length);
      },
      onEnd: onComplete,
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
      else if (payload === null && hasErrors(errors)) onErrors(errors);
      else if (payload === null) onComplete();
      // Results that are not wrapped are taken, too; and a part that is none is refused as one.
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
