import type { SingleOutcome } from './outcome.ts';

/** Where a client finds the cursor of an event, by any transport. */
export function cursorExtension(cursor: string): Readonly<Record<string, unknown>> {
  return { tributary: { cursor } };
}

/** An answer with its event's cursor. */
export function outcomeWithCursor(outcome: SingleOutcome, cursor: string): SingleOutcome {
  return { ...outcome, extensions: addCursor(outcome.extensions, cursor) };
}

/** The last payload of an event that comes in parts, with the cursor; the others as they are. */
export function payloadWithCursor(text: string, cursor: string): { text: string; isLast: boolean } {
  if (!text.endsWith(lastEnd)) return { text, isLast: false };
  // The end looks the same in every format, but `extensions` may be there already.
  if (text.includes('"extensions":{"tributary":')) {
    const payload = JSON.parse(text) as Record<string, unknown>;
    const { hasNext, extensions, ...rest } = payload;
    const added = addCursor(extensions as Readonly<Record<string, unknown>> | undefined, cursor);
    return { text: JSON.stringify({ ...rest, extensions: added, hasNext }), isLast: true };
  }
  const start = text.slice(0, -lastEnd.length);
  const separator = start === '{' || start.endsWith(',') ? '' : ',';
  return {
    text: `${start}${separator}"extensions":${JSON.stringify(cursorExtension(cursor))},${lastEnd}`,
    isLast: true,
  };
}

const lastEnd = '"hasNext":false}';

function addCursor(
  extensions: Readonly<Record<string, unknown>> | undefined,
  cursor: string,
): Readonly<Record<string, unknown>> {
  const ours = extensions?.tributary;
  return { ...extensions, tributary: { ...(typeof ours === 'object' ? ours : {}), cursor } };
}
