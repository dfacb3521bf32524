/** The message of anything that was thrown. Not by `instanceof`: errors of Node's own parts and of other
 *  threads need not be instances of this context's `Error`. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
