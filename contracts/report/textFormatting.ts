/** Copies a value and escapes what some format cannot hold in its texts: control characters except tab and line feed,
 *  unpaired surrogates, characters that XML forbids, and characters that change the text direction. An escape such as
 *  `\u001B` shows the reader what was there. */
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

/** Joins the lines of a text. */
export function toSingleLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}
