/** Whether a text can be a tag of the cache. Stores put tags into texts that a NUL ends. */
export function isCacheTag(text: string): boolean {
  return text.trim() !== '' && !text.includes('\0');
}
