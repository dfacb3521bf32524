import { isUtf8 } from 'node:buffer';
import { isNestedDeeper } from '../../json/isNestedDeeper.ts';
import { AnswerProblem } from '../../subgraph-client/callFailure.ts';
import { readResult } from '../../subgraph-client/subgraphAnswer.ts';
import { atOnce } from '../../time/inSlices.ts';
import type { SourceEvent } from './subscriptionSource.ts';

/** JSON.stringify takes a minute for 10 MB of brackets within each other; small events cannot hold many. */
const deepestOfLargeEvent = 1000;
const largeEvent = 64 * 1024;

/** Takes parsed JSON of `size` bytes for an event, or says why it is none. */
export function readEvent(json: unknown, size: number): SourceEvent | Error {
  if (size > largeEvent && isNestedDeeper(json, deepestOfLargeEvent)) {
    return new AnswerProblem(`the event is nested deeper than ${deepestOfLargeEvent} levels`);
  }
  const result = atOnce(readResult(json));
  return result instanceof Error ? result : { ...result, size };
}

/** The JSON that these bytes are, or why they are none. */
export function parseEvent(bytes: Buffer): { readonly json: unknown } | Error {
  if (!isUtf8(bytes)) return new AnswerProblem('the event is not UTF-8');
  try {
    return { json: JSON.parse(bytes.toString('utf8')) };
  } catch (error) {
    return error instanceof Error ? error : new AnswerProblem('invalid JSON');
  }
}

export function eventTooLarge(maxBytes: number): AnswerProblem {
  return new AnswerProblem(`the event is larger than ${maxBytes} bytes`);
}
