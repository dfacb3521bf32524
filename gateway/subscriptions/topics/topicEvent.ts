import { isNestedDeeperThan } from '../../json/isNestedDeeperThan.ts';

/** An event of a topic, the same for all who listen: to be read only. */
export interface TopicEvent {
  readonly typename: string;
  /** Field names of the schema with their values. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Of its entry in a stream; `undefined` for an event of this process. */
  readonly id: string | undefined;
  /** Bytes of its JSON text. */
  readonly size: number;
}

/** Why something is no event. */
interface MalformedEvent {
  readonly reason: string;
}

const maxEventDepth = 1000;

/** Reads the JSON text of an event. */
export function parseTopicEvent(
  text: string | undefined,
  id: string | undefined,
  maxBytes: number,
): TopicEvent | MalformedEvent {
  if (text === undefined) return { reason: 'it has no field `event`' };
  const size = Buffer.byteLength(text);
  if (size > maxBytes) return { reason: `it has more than ${maxBytes} bytes (subscriptions.eventSize)` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { reason: 'it is no object' };
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
