import { parseExactJson } from '../json/exactJson.ts';
import { isNestedDeeperThan, maxUncheckedDepth } from '../json/isNestedDeeperThan.ts';
import { documentIdNames } from './documents/trustedDocuments.ts';
import { HttpError } from './httpError.ts';

const operationParameters = ['query', 'operationName', 'variables', 'extensions'] as const;

/** The operation in the query string of a GET request, in the form of a POST request's body. `undefined` when it is invalid:
 *  Apollo Server then reports what is wrong. An id of a document that is sent several times becomes a list. An empty
 *  `operationName` equals an omitted one, as GraphQL over HTTP says.
 *  @throws {HttpError} 400 for `extensions` that are nested too deep. */
export function readGetParameters(search: string): Record<string, unknown> | undefined {
  const parameters = new URLSearchParams(search);
  const body: Record<string, unknown> = {};
  for (const name of operationParameters) {
    const [text, ...more] = parameters.getAll(name);
    if (text === undefined) continue;
    if (more.length > 0) return undefined;
    if (name === 'operationName' && text === '') continue;
    if (name === 'query' || name === 'operationName') {
      body[name] = text;
      continue;
    }
    try {
      body[name] = parseExactJson(text);
    } catch {
      return undefined;
    }
  }
  // `writeGetParameters` writes them. The variables have a limit of their own.
  if (isNestedDeeperThan(body.extensions, maxUncheckedDepth))
    throw new HttpError(400, `The extensions are nested more than ${maxUncheckedDepth} levels deep.`);
  for (const name of documentIdNames) {
    const [id, ...more] = parameters.getAll(name);
    if (id !== undefined) body[name] = more.length === 0 ? id : [id, ...more];
  }
  return Object.keys(body).length === 0 ? undefined : body;
}

/** The query string without an empty `operationName`, which Apollo Server takes for the name of an operation. */
export function dropEmptyOperationName(search: string): string {
  if (!search.includes('operationName=')) return search;
  const parameters = new URLSearchParams(search);
  const [name, ...more] = parameters.getAll('operationName');
  if (name !== '' || more.length > 0) return search;
  parameters.delete('operationName');
  return `?${parameters}`;
}

/** The query string of an operation, for Apollo Server. */
export function writeGetParameters(operation: Readonly<Record<string, unknown>>): string {
  const parameters = new URLSearchParams();
  for (const name of operationParameters) {
    const value = operation[name];
    if (value === undefined) continue;
    parameters.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return `?${parameters}`;
}
