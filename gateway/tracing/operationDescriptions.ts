import { type DocumentNode, getOperationAST } from 'graphql';
import { shareAttributes } from '../telemetry/sharedAttributes.ts';
import type { SpanAttributes } from '../telemetry/trace.ts';
import { hideLiterals } from './hideLiterals.ts';

/** What spans say about operations. Made once for each. */
export class OperationDescriptions {
  readonly #recordsDocuments: boolean;
  /** By document, and by the name that was requested. */
  readonly #attributes = new WeakMap<DocumentNode, Map<string | undefined, SpanAttributes>>();

  /** `recordsDocuments`: with the text of operations, without their literals. */
  constructor(recordsDocuments: boolean) {
    this.#recordsDocuments = recordsDocuments;
  }

  of(document: DocumentNode, operationName: string | undefined): SpanAttributes {
    const known = this.#attributes.get(document)?.get(operationName);
    if (known !== undefined) return known;
    const operation = getOperationAST(document, operationName);
    if (operation === null || operation === undefined) return {};
    const attributes = shareAttributes({
      'graphql.operation.name': operation.name?.value.slice(0, maxAttributeLength),
      'graphql.operation.type': operation.operation,
      'graphql.document': this.#recordsDocuments
        ? hideLiterals(document).slice(0, maxDocumentLength)
        : undefined,
    });
    let byName = this.#attributes.get(document);
    if (byName === undefined) {
      byName = new Map();
      this.#attributes.set(document, byName);
    }
    byName.set(operationName, attributes);
    return attributes;
  }
}

const maxAttributeLength = 256;
const maxDocumentLength = 16_384;
