import { isObject } from '../json/isObject.ts';

/** A mapping in a parsed but unchecked document. */
export type Section = Readonly<Record<string, unknown>>;

export function isSection(value: unknown): value is Section {
  return isObject(value);
}

/** The value itself if it is a mapping, otherwise an empty one. */
export function sectionOf(value: unknown): Section {
  return isSection(value) ? value : {};
}
