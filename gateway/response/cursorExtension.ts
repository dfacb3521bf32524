import { parseExactJson } from '../json/exactJson.ts';
import type { SingleOutcome } from './executionOutcome.ts';

/** The extension that has the cursor of an event, for all transports. */
export function cursorExtension(cursor: string): Readonly<Record<string, unknown>> {
  return { tributary: { cursor } };
}

/** Adds the cursor of an event to a single response. */
export function addCursorToOutcome(outcome: SingleOutcome, cursor: string): SingleOutcome {
  return { ...outcome, extensions: addCursor(outcome.extensions, cursor) };
}

/** Adds the cursor to the last payload of an event with several payloads; others are returned unchanged. */
export function addCursorToPayload(text: string, cursor: string): { text: string; isLast: boolean } {
  if (!text.endsWith(finalPayloadEnd)) return { text, isLast: false };
  // All formats end the same, but the payload may have `extensions` already.
  if (text.includes('"extensions":{"tributary":')) {
    const payload = parseExactJson(text) as Record<string, unknown>;
    const { hasNext, extensions, ...rest } = payload;
    const added = addCursor(extensions as Readonly<Record<string, unknown>> | undefined, cursor);
    return { text: JSON.stringify({ ...rest, extensions: added, hasNext }), isLast: true };
  }
  const start = text.slice(0, -finalPayloadEnd.length);
  const separator = start === '{' || start.endsWith(',') ? '' : ',';
  return {
    text: `${start}${separator}"extensions":${JSON.stringify(cursorExtension(cursor))},${finalPayloadEnd}`,
    isLast: true,
  };
}

const finalPayloadEnd = '"hasNext":false}';

function addCursor(
  extensions: Readonly<Record<string, unknown>> | undefined,
  cursor: string,
): Readonly<Record<string, unknown>> {
  const own = extensions?.tributary;
  return { ...extensions, tributary: { ...(typeof own === 'object' ? own : {}), cursor } };
}
