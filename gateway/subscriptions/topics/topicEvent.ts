import { messageOf } from '../../errors.ts';
import { parseExactJson } from '../../json/exactJson.ts';
import { isNestedDeeperThan } from '../../json/isNestedDeeperThan.ts';

/** An event of a topic. All listeners share the object, so it must not be changed. */
export interface TopicEvent {
  readonly typename: string;
  /** Values by field name of the schema. */
  readonly value: Readonly<Record<string, unknown>>;
  /** The id of the entry in the stream; `undefined` for an event of this process. */
  readonly id: string | undefined;
  /** Bytes of its JSON text. */
  readonly size: number;
}

/** The reason why something is not an event. */
interface MalformedEvent {
  readonly reason: string;
}

const maxEventDepth = 1000;

/** Parses the JSON text of an event. */
export function parseTopicEvent(
  text: string | undefined,
  id: string | undefined,
  maxBytes: number,
): TopicEvent | MalformedEvent {
  if (text === undefined) return { reason: 'it has no field `event`' };
  const size = Buffer.byteLength(text);
  if (size > maxBytes) return { reason: `it is larger than ${maxBytes} bytes (subscriptions.eventSize)` };
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (error) {
    return { reason: messageOf(error) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { reason: 'it is not an object' };
  }
  const { __typename: typename } = value as Record<string, unknown>;
  if (typeof typename !== 'string') return { reason: 'it has no `__typename`' };
  if (isNestedDeeperThan(value, maxEventDepth))
    return { reason: `it is nested deeper than ${maxEventDepth} levels` };
  return { typename, value: value as Record<string, unknown>, id, size };
}

export function isMalformed(event: TopicEvent | MalformedEvent): event is MalformedEvent {
  return 'reason' in event;
}
