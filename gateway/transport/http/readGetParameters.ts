/** The operation in the query string of a GET, as the body of a POST would have it. `undefined` where it is not right:
 *  Apollo Server says what is wrong. */
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
