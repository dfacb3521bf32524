/** Shortens a text to `length` characters, the last an ellipsis. Surrogate pairs are not split. */
export function truncate(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
