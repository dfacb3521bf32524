/** The cursor after which a subscription is to go on, as a client says it in `extensions.tributary.cursor` of its
 *  operation: where it found it in the events. */
export function resumeCursorOf(extensions: unknown): string | undefined {
  const { tributary } = (extensions ?? {}) as { readonly tributary?: unknown };
  const { cursor } = (tributary ?? {}) as { readonly cursor?: unknown };
  if (cursor === undefined || cursor === null || cursor === '') return undefined;
  // What is no text is no cursor either, and is refused as such where it counts: to look past it would lose events.
  return typeof cursor === 'string' ? cursor : JSON.stringify(cursor);
}
