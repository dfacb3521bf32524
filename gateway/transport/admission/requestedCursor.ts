/** The cursor after which a subscription is to go on, as a client says it in `extensions.tributary.cursor` of its
 *  operation: where it found it in the events. */
export function requestedCursor(extensions: unknown): string | undefined {
  const { tributary } = (extensions ?? {}) as { readonly tributary?: unknown };
  const { cursor } = (tributary ?? {}) as { readonly cursor?: unknown };
  return typeof cursor === 'string' && cursor !== '' ? cursor : undefined;
}
