/** The message of a thrown value. It does not use `instanceof`, because errors of Node internals and of other threads may
 *  not be instances of this realm's `Error`. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
