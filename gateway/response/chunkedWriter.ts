import {
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import { splitText, stringifyInSlices } from '../json/stringifyInSlices.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { sinkFullError } from './byteSink.ts';
import type { ResponseChunks } from './responseChunks.ts';
import { fieldPrefix, sink, type WriterGenerator } from './writerGenerator.ts';

/** After so many bytes the sink is emptied, and others have their turn. */
const chunkBytes = 128 * 1024;

/** Writes a large answer in parts: whatever fits into the sink by the generated writer, what does not fit element
 *  by element and field by field. Between the parts the sink is for others. Throws `writerBailout`. */
export class ChunkedWriter {
  readonly #generator: WriterGenerator;
  readonly #isEscapeFree: boolean;
  readonly #chunks: ResponseChunks;
  #position = 0;

  constructor(generator: WriterGenerator, isEscapeFree: boolean, parts: ResponseChunks) {
    this.#generator = generator;
    this.#isEscapeFree = isEscapeFree;
    this.#chunks = parts;
  }

  *writeObject(set: SelectionSet, type: GraphQLObjectType, object: ResponseObject): SlicedTask {
    const { fields } = set.collect(this.#generator.schema, type);
    if (fields.length === 0) this.#writeText('{');
    for (const [index, field] of fields.entries()) {
      this.#writeText(fieldPrefix(field, index));
      if (field.fieldName === '__typename') this.#writeText(`"${type.name}"`);
      else yield* this.#writeValue(field.type, field.selectionSet, object[field.internalName]);
    }
    this.#writeText('}');
  }

  /** Hands over what is in the sink. */
  *flush(): SlicedTask {
    if (this.#position === 0) return;
    this.#chunks.add(sink.take(this.#position));
    this.#position = 0;
    yield;
  }

  *#writeValue(type: GraphQLOutputType, set: SelectionSet | undefined, value: unknown): SlicedTask {
    if (!this.#tryWriteWhole(type, set, value)) {
      yield* this.flush();
      yield* this.#writeInChunks(isNonNullType(type) ? type.ofType : type, set, value);
    }
    if (this.#position >= chunkBytes) yield* this.flush();
  }

  /** False where it does not fit. */
  #tryWriteWhole(type: GraphQLOutputType, set: SelectionSet | undefined, value: unknown): boolean {
    try {
      const write = this.#generator.valueWriterOf(type, set);
      this.#position = write(value, this.#position, this.#isEscapeFree);
      return true;
    } catch (error) {
      if (error === sinkFullError) return false;
      throw error;
    }
  }

  /** A value too large for one go, and therefore of the right kind. */
  *#writeInChunks(type: GraphQLOutputType, set: SelectionSet | undefined, value: unknown): SlicedTask {
    if (isListType(type)) {
      const list = value as readonly unknown[];
      this.#writeText('[');
      for (let i = 0; i < list.length; i++) {
        if (i > 0) this.#writeText(',');
        // Mostly it fits, and needs no work of its own.
        if (!this.#tryWriteWhole(type.ofType, set, list[i]))
          yield* this.#writeValue(type.ofType, set, list[i]);
        else if (this.#position >= chunkBytes) yield* this.flush();
      }
      this.#writeText(']');
    } else if (!isLeafType(type)) {
      const object = value as ResponseObject;
      const objectType = this.#generator.objectTypeOf(type as GraphQLCompositeType, object);
      yield* this.writeObject(set as SelectionSet, objectType, object);
    } else if (typeof value === 'string') {
      this.#writeText('"');
      for (const part of splitText(value)) {
        this.#writeText(this.#isEscapeFree ? part : JSON.stringify(part).slice(1, -1));
        yield* this.flush();
      }
      this.#writeText('"');
    } else {
      yield* stringifyInSlices(value, (text) => this.#chunks.add(Buffer.from(text)));
    }
  }

  #writeText(text: string): void {
    this.#position = sink.json(text, this.#position);
  }
}
