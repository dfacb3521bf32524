/** Whether a text can be a cache tag. Stores terminate tags with NUL. */
export function isCacheTag(text: string): boolean {
  return text.trim() !== '' && !text.includes('\0');
}
