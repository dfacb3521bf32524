interface ClientHeaders {
  /** Lower case; the first one that says something counts. */
  readonly names: readonly string[];
  readonly versions: readonly string[];
}

/** Who a client says that it is. Nothing proves it. */
interface Client {
  readonly name: string | undefined;
  readonly version: string | undefined;
}

export function clientOf(headers: ReadonlyMap<string, string>, { names, versions }: ClientHeaders): Client {
  return { name: firstOf(headers, names), version: firstOf(headers, versions) };
}

function firstOf(headers: ReadonlyMap<string, string>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers.get(name)?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}
