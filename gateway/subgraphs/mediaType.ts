/** The media type in lower case, without parameters. */
export function mediaTypeOf(contentType: string): string {
  return (contentType.split(';', 1)[0] as string).trim().toLowerCase();
}

/** The unquoted value of a parameter; `undefined` if absent. `name` must be in lower case. */
export function parameterOf(contentType: string, name: string): string | undefined {
  for (const [, key, quoted, token] of contentType.matchAll(parameters)) {
    if (key?.toLowerCase() === name) return quoted?.replace(/\\(.)/g, '$1') ?? token;
  }
  return undefined;
}

const parameters = /;\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g;
