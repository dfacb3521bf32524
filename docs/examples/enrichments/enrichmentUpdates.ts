/** An update of one pending field of a first response. */
export interface EnrichmentUpdate {
  readonly path: readonly (string | number)[];
  readonly data: unknown;
  readonly errors: readonly { readonly message: string }[] | null;
  readonly hasNext: boolean;
}

/** Selects all fields of `EnrichmentUpdate`. */
export const enrichmentSubscription = `
  subscription Enrichment($token: ID!) {
    enrichment(token: $token) { path data errors hasNext }
  }
`;

/** The token in the `extensions` of a result; `undefined` if no field is pending, or no token was issued. */
export function enrichmentTokenOf(extensions: unknown): string | undefined {
  const { tributary } = (extensions ?? {}) as {
    tributary?: { enrichment?: { token?: string } };
  };
  return tributary?.enrichment?.token;
}

/** The value at a path of the data of an answer; `undefined` if the data has no such path. */
export function valueAt(data: unknown, path: EnrichmentUpdate['path']): unknown {
  return path.reduce(
    (value, key) => (value as Record<string | number, unknown> | null | undefined)?.[key],
    data,
  );
}

/** Returns the data of an answer with the update in it. Copies the objects and lists on the path of the update, and
 *  leaves `data` unchanged. */
export function withUpdate<Data>(
  data: Data,
  { path, data: value }: Pick<EnrichmentUpdate, 'path' | 'data'>,
): Data {
  const [key, ...remainingPath] = path;
  if (key === undefined) return value as Data;
  // The client's data has changed since the first response.
  if (typeof data !== 'object' || data === null) return data;
  const copy = (Array.isArray(data) ? [...data] : { ...data }) as Record<string | number, unknown>;
  copy[key] = withUpdate(copy[key], { path: remainingPath, data: value });
  return copy as Data;
}
