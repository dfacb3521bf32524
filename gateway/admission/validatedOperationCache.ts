import { type DocumentNode, getOperationAST, type OperationTypeNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { resumeCursorOf } from './resumeCursorOf.ts';

/** An operation that can go to the pipeline as it is. */
interface ValidatedOperation {
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly kind: OperationTypeNode;
  /** Cursor after which a subscription is to go on. */
  readonly cursor: string | undefined;
}

/** Operation texts that Apollo Server has parsed and found valid, for one supergraph each. A plain request for
 *  one of them needs nothing more of Apollo Server, which would cost as much as a small operation itself. */
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

  /** To be called when another supergraph takes over: what is known holds on to the one that it is for. */
  clear(): void {
    this.#entries.clear();
  }

  /** The operation of a request's body; `undefined` for whatever is not plain or not known: Apollo Server
   *  answers that, mistakes included. */
  find(body: unknown, supergraph: Supergraph | undefined): ValidatedOperation | undefined {
    if (!isObject(body) || typeof body.query !== 'string') return undefined;
    const known = this.#entries.get(body.query);
    if (known === undefined || known.supergraph !== supergraph) return undefined;
    const { operationName, variables, extensions } = body;
    if (!isAbsent(operationName) && typeof operationName !== 'string') return undefined;
    if (!isAbsent(variables) && !isObject(variables)) return undefined;
    // Persisted queries are Apollo Server's; other extensions mean nothing to it.
    if (!isAbsent(extensions) && (!isObject(extensions) || 'persistedQuery' in extensions)) return undefined;
    const operation = getOperationAST(known.document, operationName);
    if (operation == null) return undefined;
    return {
      document: known.document,
      operationName: operationName ?? undefined,
      variables: variables ?? {},
      kind: operation.operation,
      cursor: resumeCursorOf(extensions),
    };
  }
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
