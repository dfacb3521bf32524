/** The cursor after which a client resumes a subscription: `extensions.tributary.cursor` of its operation, the same path at
 *  which events carry their cursors. */
export function resumeCursorOf(extensions: unknown): string | undefined {
  const { tributary } = (extensions ?? {}) as { readonly tributary?: unknown };
  const { cursor } = (tributary ?? {}) as { readonly cursor?: unknown };
  if (cursor === undefined || cursor === null || cursor === '') return undefined;
  // A value that is not a string is not ignored, which would lose events: the subscription refuses it as an invalid cursor.
  return typeof cursor === 'string' ? cursor : typeof cursor;
}
