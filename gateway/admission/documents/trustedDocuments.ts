import { stripIgnoredCharacters } from 'graphql';
import { isObject } from '../../json/isObject.ts';
import { HttpError } from '../httpError.ts';
import type { DocumentManifest, TrustedDocument } from './documentManifest.ts';

/** The members of a request, besides `extensions.persistedQuery.sha256Hash`, that may have the id of a document: of GraphQL
 *  over HTTP, of Relay, and of Relay's older servers. */
export const documentIdNames = ['documentId', 'id', 'doc_id'] as const;

type OperationBody = Readonly<Record<string, unknown>>;

/** Finds the texts of operations that clients send by id, and with `require` refuses all others. */
export class TrustedDocuments {
  readonly #isRequired: boolean;
  #manifest: DocumentManifest;

  constructor(mode: 'prefer' | 'require', manifest: DocumentManifest) {
    this.#isRequired = mode === 'require';
    this.#manifest = manifest;
  }

  /** Whether an operation that is not in the manifest is refused. */
  get isRequired(): boolean {
    return this.#isRequired;
  }

  get manifest(): DocumentManifest {
    return this.#manifest;
  }

  replace(manifest: DocumentManifest): void {
    this.#manifest = manifest;
  }

  /** The operation with the text of its document. The same object if there is nothing to replace: then it has no text, or
   *  one that may be executed. `checkText`: called with the text of a client before anything reads it.
   *  @throws {HttpError} `PERSISTED_QUERY_NOT_FOUND`, `PERSISTED_QUERY_NOT_ALLOWED`, or `BAD_REQUEST` for an id that is no
   *  text. */
  resolve(operation: OperationBody, checkText: (text: string) => void): OperationBody {
    const { query, extensions } = operation;
    const text = typeof query === 'string' && query !== '' ? query : undefined;
    const document = text === undefined ? this.#byId(operation) : this.#byText(text, checkText);
    if (document === undefined) {
      if (text !== undefined && this.#isRequired) throw notAllowedError();
      return operation;
    }
    // An automatic persisted query would be registered, and its hash must not be compared: it may be any id.
    const isPersistedQuery = isObject(extensions) && 'persistedQuery' in extensions;
    if (text === document.text && !isPersistedQuery) return operation;
    if (!isPersistedQuery) return { ...operation, query: document.text };
    const { persistedQuery: _, ...others } = extensions;
    return { ...operation, query: document.text, extensions: others };
  }

  #byId(operation: OperationBody): TrustedDocument | undefined {
    const { byId } = this.#manifest;
    let isIdSent = false;
    for (const name of documentIdNames) {
      const id = operation[name];
      if (id === undefined || id === null || id === '') continue;
      if (typeof id !== 'string') {
        throw new HttpError(400, `The id of a document must be one text (\`${name}\`).`);
      }
      isIdSent = true;
      // The prefix is that of GraphQL over HTTP.
      const document = byId.get(id) ?? (id.startsWith('sha256:') ? byId.get(id.slice(7)) : undefined);
      if (document !== undefined) return document;
    }
    const { persistedQuery } = (isObject(operation.extensions) && operation.extensions) || {};
    const hash = isObject(persistedQuery) ? persistedQuery.sha256Hash : undefined;
    const document = typeof hash === 'string' ? byId.get(hash) : undefined;
    // A client that sends the hash of an automatic persisted query gets the answer for those.
    if (document === undefined && isIdSent && !isObject(persistedQuery)) throw notFoundError();
    return document;
  }

  #byText(text: string, checkText: (text: string) => void): TrustedDocument | undefined {
    const { byText } = this.#manifest;
    const document = byText.get(text);
    if (document !== undefined || !this.#isRequired) return document;
    checkText(text);
    return byText.get(tryStrip(text) ?? text);
  }
}

function notFoundError(): HttpError {
  return new HttpError(
    400,
    'No trusted document has this id. Send an id of the manifest as it is there, or the SHA-256 of the text in lower-case hexadecimal digits; deploy the manifest before the client (security.trustedDocuments).',
    { code: 'PERSISTED_QUERY_NOT_FOUND' },
  );
}

function notAllowedError(): HttpError {
  return new HttpError(
    400,
    'The operation is not one of the trusted documents, and no other is allowed (security.trustedDocuments). Add it to the manifest.',
    { code: 'PERSISTED_QUERY_NOT_ALLOWED' },
  );
}

function tryStrip(text: string): string | undefined {
  try {
    return stripIgnoredCharacters(text);
  } catch {
    return undefined;
  }
}
