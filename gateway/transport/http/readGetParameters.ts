/** The operation in the query string of a GET request, in the form of a POST request's body. `undefined` when it is invalid:
 *  Apollo Server then reports what is wrong. */
export function readGetParameters(search: string): Record<string, unknown> | undefined {
  const parameters = new URLSearchParams(search);
  const body: Record<string, unknown> = {};
  for (const name of ['query', 'operationName', 'variables', 'extensions'] as const) {
    const [text, ...more] = parameters.getAll(name);
    if (text === undefined) continue;
    if (more.length > 0) return undefined;
    if (name === 'query' || name === 'operationName') {
      body[name] = text;
      continue;
    }
    try {
      body[name] = JSON.parse(text);
    } catch {
      return undefined;
    }
  }
  return Object.keys(body).length === 0 ? undefined : body;
}
