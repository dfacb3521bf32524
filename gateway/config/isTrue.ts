/** Whether an option of an unparsed configuration is `true`. The value of a variable is a text. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}

/** Whether an option of an unparsed configuration is `false`. */
export function isFalse(value: unknown): boolean {
  return value === false || value === 'false';
}
