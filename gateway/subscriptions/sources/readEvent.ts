import { isUtf8 } from 'node:buffer';
import { parseExactJson } from '../../json/exactJson.ts';
import { isNestedDeeperThan } from '../../json/isNestedDeeperThan.ts';
import { invalidJsonError, readResult } from '../../subgraphs/bufferedResponse.ts';
import { InvalidResponseError } from '../../subgraphs/callErrors.ts';
import { runToCompletion } from '../../time/slicedTask.ts';
import type { SourceEvent } from './subscriptionSource.ts';

/** `JSON.stringify` takes a minute for 10 MB of nested brackets. Events below `largeEventBytes` cannot nest that deep. */
const maxLargeEventDepth = 1000;
const largeEventBytes = 64 * 1024;

/** Reads parsed JSON of `size` bytes as an event, or returns why it is not a GraphQL result. */
export function readEvent(json: unknown, size: number): SourceEvent | Error {
  if (size > largeEventBytes && isNestedDeeperThan(json, maxLargeEventDepth)) {
    return new InvalidResponseError(`the event is nested deeper than ${maxLargeEventDepth} levels`);
  }
  const result = runToCompletion(readResult(json));
  return result instanceof Error ? result : { ...result, size };
}

/** Parses bytes as JSON, or returns why they are not valid JSON. */
export function parseEvent(bytes: Buffer): { readonly json: unknown } | Error {
  if (!isUtf8(bytes)) return new InvalidResponseError('the event is not UTF-8');
  try {
    return { json: parseExactJson(bytes.toString('utf8')) };
  } catch (error) {
    return invalidJsonError(error);
  }
}

export function eventTooLargeProblem(maxBytes: number): InvalidResponseError {
  return new InvalidResponseError(`the event is larger than ${maxBytes} bytes`);
}
