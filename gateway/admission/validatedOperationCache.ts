import { type DocumentNode, getOperationAST, type OperationTypeNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { isObject } from '../json/isObject.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { PersistedQueryStore } from './documents/persistedQueryStore.ts';
import { resumeCursorOf } from './resumeCursorOf.ts';
import { textSizeOf } from './textSizedCache.ts';

/** An operation that can be executed without Apollo Server. */
export interface ValidatedOperation {
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly kind: OperationTypeNode;
  /** The name in the document. */
  readonly name: string | undefined;
  /** Cursor after which a subscription resumes. */
  readonly cursor: string | undefined;
}

/** Operations that Apollo Server has parsed and validated, each for one supergraph. A request for one of them bypasses
 *  Apollo Server, which would cost as much time as a small operation itself. */
export class ValidatedOperationCache {
  readonly #entries: LRUCache<string, { readonly document: DocumentNode; readonly supergraph: Supergraph }>;
  readonly #persistedQueries: Pick<PersistedQueryStore, 'findText'> | undefined;

  /** `persistedQueries`: `undefined` if automatic persisted queries are off. */
  constructor(
    maxOperations: number,
    maxCharacters: number,
    persistedQueries: Pick<PersistedQueryStore, 'findText'> | undefined,
  ) {
    this.#persistedQueries = persistedQueries;
    this.#entries = new LRUCache({
      max: maxOperations,
      maxSize: maxCharacters,
      sizeCalculation: (_, text) => textSizeOf(text.length),
    });
  }

  add(text: string, document: DocumentNode, supergraph: Supergraph): void {
    this.#entries.set(text, { document, supergraph });
  }

  /** Must be called when another supergraph becomes current: entries keep their supergraph in memory. */
  clear(): void {
    this.#entries.clear();
  }

  /** The operation of a request body. `undefined` if the operation is not known, or the request registers a persisted query or
   *  is malformed: Apollo Server handles those. */
  find(body: unknown, supergraph: Supergraph | undefined): ValidatedOperation | undefined {
    if (!isObject(body)) return undefined;
    const { query, operationName, variables, extensions } = body;
    // Apollo Server ignores other extensions.
    if (!isAbsent(extensions) && !isObject(extensions)) return undefined;
    const persistedQuery = extensions?.persistedQuery;
    const text = isAbsent(persistedQuery)
      ? query
      : isAbsent(query)
        ? this.#persistedTextOf(persistedQuery)
        : undefined;
    if (typeof text !== 'string') return undefined;
    const known = this.#entries.get(text);
    if (known === undefined || known.supergraph !== supergraph) return undefined;
    if (!isAbsent(operationName) && typeof operationName !== 'string') return undefined;
    if (!isAbsent(variables) && !isObject(variables)) return undefined;
    const operation = getOperationAST(known.document, operationName);
    if (operation == null) return undefined;
    return {
      document: known.document,
      operationName: operationName ?? undefined,
      variables: variables ?? {},
      kind: operation.operation,
      name: operation.name?.value,
      cursor: resumeCursorOf(extensions),
    };
  }

  #persistedTextOf(persistedQuery: unknown): string | undefined {
    if (!isObject(persistedQuery) || persistedQuery.version !== 1) return undefined;
    const { sha256Hash } = persistedQuery;
    return typeof sha256Hash === 'string' ? this.#persistedQueries?.findText(sha256Hash) : undefined;
  }
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}
