import { isObjectType } from 'graphql';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SelectionSet } from '../operation/selection.ts';
import { DataWriter } from './dataWriter.ts';
import { findOmittedFields, type OmittedFields } from './omittedFields.ts';
import type { DeferredInstance } from './shapeData.ts';

/** The data of an execution so far. */
type ExecutedData = Pick<Execution, 'tree' | 'isEscapeFree' | 'errors' | 'staleValues'> &
  Partial<Pick<Execution, 'sharedObjects'>>;

/** A payload, or a deferred fragment at one object. */
interface WrittenPayload extends OmittedFields {
  /** The data as JSON text. */
  readonly data: string;
}

/** Writes payloads that omit deferred fragments or pending enrichments straight from the response tree, with the
 *  generated code of ordinary responses: the fast path of `shapeData` for them. Every method returns `undefined` for a
 *  payload that only `shapeData` can create.
 *
 *  `bench/deferral.ts` and `bench/enrichments.ts` measure it. */
export class PayloadWriter {
  readonly #operation: PreparedOperation;
  /** By pending delivery groups. */
  readonly #writers = new Map<string, DataWriter>();

  static forOperation(operation: PreparedOperation): PayloadWriter {
    let writer = payloadWriters.get(operation);
    if (writer === undefined) {
      writer = new PayloadWriter(operation);
      payloadWriters.set(operation, writer);
    }
    return writer;
  }

  private constructor(operation: PreparedOperation) {
    this.#operation = operation;
  }

  /** Writes the first payload. */
  writeFirst(
    execution: ExecutedData,
    pendingGroups: ReadonlySet<number>,
    maxBytes: number,
  ): WrittenPayload | undefined {
    const { root, rootType, deferred, supergraph } = this.#operation;
    // `SentNulls` must have the pending fields that deferred fragments select as well.
    if (!isOrdinary(execution) || (deferred.length > 0 && pendingGroups.size > 0)) return undefined;
    const { tree, isEscapeFree, sharedObjects } = execution;
    const data = this.#writerFor(pendingGroups)?.writeText(root, rootType, tree, isEscapeFree, sharedObjects);
    if (data === undefined || data.length > maxBytes) return undefined;
    const omitted = findOmittedFields(supergraph.apiSchema, root, rootType, tree, [], pendingGroups);
    return omitted && { data, deferred: omitted.deferred, pending: omitted.pending };
  }

  /** Writes a fragment at all its objects. */
  writeFragment(
    execution: ExecutedData,
    set: SelectionSet,
    positions: readonly Omit<DeferredInstance, 'fragment'>[],
    maxBytes: number,
  ): readonly WrittenPayload[] | undefined {
    if (!isOrdinary(execution) || positions.length > maxPositions) return undefined;
    const writer = this.#writerFor(noGroups);
    if (writer === undefined) return undefined;
    const { apiSchema } = this.#operation.supergraph;
    const written: WrittenPayload[] = [];
    let size = 0;
    for (const { object, type, path } of positions) {
      if (!isObjectType(type)) return undefined;
      const data = writer.writeText(set, type, object, execution.isEscapeFree);
      if (data === undefined) return undefined;
      size += data.length;
      if (size > maxSize || size > maxBytes) return undefined;
      const omitted = findOmittedFields(apiSchema, set, type, object, path, noGroups);
      if (omitted === undefined) return undefined;
      written.push({ data, deferred: omitted.deferred, pending: omitted.pending });
    }
    return written;
  }

  /** `undefined` when responses omit too many combinations of groups. */
  #writerFor(pendingGroups: ReadonlySet<number>): DataWriter | undefined {
    const key = pendingGroups.size === 0 ? '' : [...pendingGroups].sort((a, b) => a - b).join();
    let writer = this.#writers.get(key);
    if (writer === undefined && this.#writers.size < maxWriters) {
      const { supergraph, root, rootType, deferred } = this.#operation;
      writer = new DataWriter(supergraph.apiSchema, root, rootType, {
        pendingGroups,
        // Later payloads must know the objects that were null.
        writesNullObjects: deferred.length === 0,
      });
      this.#writers.set(key, writer);
    }
    return writer;
  }
}

function isOrdinary({ errors, staleValues }: ExecutedData): boolean {
  return errors.length === 0 && staleValues.length === 0;
}

const noGroups: ReadonlySet<number> = new Set();
const payloadWriters = new WeakMap<PreparedOperation, PayloadWriter>();

const maxWriters = 16;
/** `shapeData` pauses while it shapes more objects, or more text. */
const maxPositions = 200;
const maxSize = 256 * 1024;
