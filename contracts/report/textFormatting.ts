/** The same value with every text in it made fit for every format: no control characters but tab and line feed, no
 *  halves of surrogate pairs, nothing that XML cannot hold or that turns the direction of what follows. What was there
 *  is shown as `\u001B`, so that a reader sees that it was. */
export function escapeUnprintable<T>(value: T): T {
  return escapeValue(value) as T;
}

function escapeValue(value: unknown): unknown {
  if (typeof value === 'string') return escapeText(value);
  if (Array.isArray(value)) return value.map(escapeValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, escapeValue(item)]),
  );
}

const unprintable = /(?![\t\n])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Noncharacter_Code_Point}\uFEFF]/gu;

function escapeText(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').replaceAll(unprintable, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16).toUpperCase();
  return code > 0xffff ? `\\u{${digits}}` : `\\u${digits.padStart(4, '0')}`;
}

/** The text in one line. */
export function toSingleLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}

/** At most so many characters, the last an ellipsis where some are left out. Characters beyond the basic plane are
 *  not cut in half. */
export function truncate(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** Whether what a finding is in is no file: the SDL of a subgraph that runs is where the subgraph is. */
export function isUrl(file: string): boolean {
  return /^https?:\/\//i.test(file) && URL.canParse(file);
}
