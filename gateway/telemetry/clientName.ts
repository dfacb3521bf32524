export interface ClientNameHeaders {
  /** Header names in lower case. The first header with a value is used. */
  readonly clientNameHeaders: readonly string[];
  readonly clientVersionHeaders: readonly string[];
}

/** The client's own claim. Nothing verifies it. */
interface ClientName {
  readonly name: string | undefined;
  readonly version: string | undefined;
}

/** Reads the name and the version of a client from its headers. */
export function readClientName(
  headers: ReadonlyMap<string, string>,
  { clientNameHeaders, clientVersionHeaders }: ClientNameHeaders,
): ClientName {
  return { name: firstOf(headers, clientNameHeaders), version: firstOf(headers, clientVersionHeaders) };
}

function firstOf(headers: ReadonlyMap<string, string>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers.get(name)?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}
