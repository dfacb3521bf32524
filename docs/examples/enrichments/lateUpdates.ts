/** What comes after a first answer, for one place of it. */
export interface LateUpdate {
  readonly path: readonly (string | number)[];
  readonly data: unknown;
  readonly errors: readonly { readonly message: string }[] | null;
  readonly hasNext: boolean;
}

/** Selects all that `LateUpdate` has. */
export const lateSubscription = `
  subscription Late($token: ID!) {
    enrichment(token: $token) { path data errors hasNext }
  }
`;

/** The token in a result's `extensions`, if something is late that can be picked up. */
export function lateTokenOf(extensions: unknown): string | undefined {
  const { tributary } = (extensions ?? {}) as {
    tributary?: { enrichment?: { token?: string } };
  };
  return tributary?.enrichment?.token;
}

/** An answer's data with the update in it. What was there stays as it is: objects and lists on the way are copied. */
export function withUpdate<Data>(data: Data, { path, data: late }: Pick<LateUpdate, 'path' | 'data'>): Data {
  const [part, ...rest] = path;
  if (part === undefined) return late as Data;
  // It became null in the meantime, or is another answer by now.
  if (typeof data !== 'object' || data === null) return data;
  const copy = (Array.isArray(data) ? [...data] : { ...data }) as Record<string | number, unknown>;
  copy[part] = withUpdate(copy[part], { path: rest, data: late });
  return copy as Data;
}
