import { type DocumentNode, getOperationAST, type OperationTypeNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { isObject } from '../json/isObject.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { resumeCursorOf } from './resumeCursorOf.ts';

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

/** Operations that Apollo Server has parsed and validated, each for one supergraph. A plain request for one of them bypasses
 *  Apollo Server, which would cost as much time as a small operation itself. */
export class ValidatedOperationCache {
  readonly #entries: LRUCache<string, { readonly document: DocumentNode; readonly supergraph: Supergraph }>;

  constructor(maxCharacters: number) {
    this.#entries = new LRUCache({
      maxSize: maxCharacters,
      sizeCalculation: (_, text) => Math.max(1, text.length),
    });
  }

  add(text: string, document: DocumentNode, supergraph: Supergraph): void {
    this.#entries.set(text, { document, supergraph });
  }

  /** Must be called when another supergraph becomes current: entries keep their supergraph in memory. */
  clear(): void {
    this.#entries.clear();
  }

  /** The operation of a request body. `undefined` if the operation is not known, or the request uses persisted queries or is
   *  malformed: Apollo Server handles those. */
  find(body: unknown, supergraph: Supergraph | undefined): ValidatedOperation | undefined {
    if (!isObject(body) || typeof body.query !== 'string') return undefined;
    const known = this.#entries.get(body.query);
    if (known === undefined || known.supergraph !== supergraph) return undefined;
    const { operationName, variables, extensions } = body;
    if (!isAbsent(operationName) && typeof operationName !== 'string') return undefined;
    if (!isAbsent(variables) && !isObject(variables)) return undefined;
    // Apollo Server handles persisted queries. It ignores other extensions.
    if (!isAbsent(extensions) && (!isObject(extensions) || 'persistedQuery' in extensions)) return undefined;
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
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}
