import type { SingleOutcome } from './executionOutcome.ts';

/** Where a client finds the cursor of an event, by any transport. */
export function cursorExtension(cursor: string): Readonly<Record<string, unknown>> {
  return { tributary: { cursor } };
}

/** An answer with its event's cursor. */
export function addCursorToOutcome(outcome: SingleOutcome, cursor: string): SingleOutcome {
  return { ...outcome, extensions: addCursor(outcome.extensions, cursor) };
}

/** The last payload of an event that comes in parts, with the cursor; the others as they are. */
export function addCursorToPayload(text: string, cursor: string): { text: string; isLast: boolean } {
  if (!text.endsWith(finalPayloadEnd)) return { text, isLast: false };
  // The end looks the same in every format, but `extensions` may be there already.
  if (text.includes('"extensions":{"tributary":')) {
    const payload = JSON.parse(text) as Record<string, unknown>;
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
  const ours = extensions?.tributary;
  return { ...extensions, tributary: { ...(typeof ours === 'object' ? ours : {}), cursor } };
}
