/** Shortens a text to `length` characters, the last an ellipsis. Surrogate pairs are not split. */
export function truncate(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** The first `count` texts, and the number of the others as the last one. */
export function truncateList(texts: readonly string[], count: number): readonly string[] {
  return texts.length <= count ? texts : [...texts.slice(0, count), `and ${texts.length - count} more`];
}
