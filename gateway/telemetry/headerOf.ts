const get: (this: ReadonlyMap<string, string>, name: string) => string | undefined = Map.prototype.get;

/** The value of a header whose name is in lower case, as all names are. `HeaderMap` of Apollo Server, which most requests have,
 *  would convert the name. */
export function headerOf(headers: ReadonlyMap<string, string>, name: string): string | undefined {
  return get.call(headers, name);
}
