/** Whether a value of a parsed document is a mapping. */
export function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The mapping itself, or an empty one for anything else. */
export function sectionOf(value: unknown): Readonly<Record<string, unknown>> {
  return isSection(value) ? value : {};
}
