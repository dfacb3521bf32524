import { type DocumentNode, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import { validateDocument } from '../../operation/validateDocument.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';

/** The documents of jobs that are executed from their snapshots. When a subgraph fails, thousands of jobs with the same few
 *  operations are executed again: each document is parsed and validated once, and the preparer, which knows operations by
 *  the identity of their documents, prepares them once. */
export class JobDocuments {
  readonly #documents = new WeakMap<Supergraph, LRUCache<string, DocumentNode>>();

  /** `undefined` if the document is not valid on the supergraph. */
  find(text: string, supergraph: Supergraph): DocumentNode | undefined {
    const createCache = () => new LRUCache<string, DocumentNode>({ max: maxDocuments });
    const ofSupergraph = getOrInsertComputed(this.#documents, supergraph, createCache);
    const known = ofSupergraph.get(text);
    if (known !== undefined) return known;
    const document = parse(text, { noLocation: true });
    if (validateDocument(supergraph.apiSchema, document).length > 0) return undefined;
    ofSupergraph.set(text, document);
    return document;
  }
}

/** Maximum number of documents for each supergraph. */
const maxDocuments = 200;
