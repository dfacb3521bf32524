import {
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import { hasInfinity } from '../json/hasInfinity.ts';
import { splitText, stringifyInSlices } from '../json/stringifyInSlices.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { sinkFullError } from './byteSink.ts';
import type { ResponseChunks } from './responseChunks.ts';
import { fieldPrefix, sink, type WriterGenerator, writerBailout } from './writerGenerator.ts';

/** After so many bytes the sink is emptied and the writer yields. */
const chunkBytes = 128 * 1024;

/** Writes a large response in chunks: values that fit into the sink with the generated writer, larger ones element by
 *  element and field by field. Other responses may use the sink between two chunks.
 *  @throws {Error} `writerBailout` for a response that only `shapeData` can write. */
export class ChunkedWriter {
  readonly #generator: WriterGenerator;
  readonly #isEscapeFree: boolean;
  readonly #chunks: ResponseChunks;
  #position = 0;

  constructor(generator: WriterGenerator, isEscapeFree: boolean, chunks: ResponseChunks) {
    this.#generator = generator;
    this.#isEscapeFree = isEscapeFree;
    this.#chunks = chunks;
  }

  *writeObject(set: SelectionSet, type: GraphQLObjectType, object: ResponseObject): SlicedTask {
    const { fields, isDenied } = set.collect(this.#generator.schema, type);
    if (isDenied || fields.some((field) => field.isDenied)) throw writerBailout;
    if (fields.length === 0) this.#writeText('{');
    for (const [index, field] of fields.entries()) {
      this.#writeText(fieldPrefix(field, index));
      if (field.fieldName === '__typename') this.#writeText(`"${type.name}"`);
      else yield* this.#writeValue(field.type, field.selectionSet, object[field.internalName]);
    }
    this.#writeText('}');
  }

  /** Moves the content of the sink to the chunks. */
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

  /** Returns false for a value that does not fit into the sink. */
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

  /** Writes a value that is too large for the sink. The generated writer has found it to be valid so far. */
  *#writeInChunks(type: GraphQLOutputType, set: SelectionSet | undefined, value: unknown): SlicedTask {
    if (isListType(type)) {
      const list = value as readonly unknown[];
      this.#writeText('[');
      for (let i = 0; i < list.length; i++) {
        if (i > 0) this.#writeText(',');
        // Most elements fit and need no generator of their own.
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
      let hasNull = false;
      yield* stringifyInSlices(value, (text) => {
        hasNull ||= text.includes('null');
        this.#chunks.add(Buffer.from(text));
      });
      if (hasNull && hasInfinity(value)) throw writerBailout;
    }
  }

  #writeText(text: string): void {
    this.#position = sink.json(text, this.#position);
  }
}
