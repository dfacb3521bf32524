/** A mapping in a parsed but unchecked document. */
export type Section = Readonly<Record<string, unknown>>;

export function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value itself if it is a mapping, otherwise an empty one. */
export function sectionOf(value: unknown): Section {
  return isSection(value) ? value : {};
}
