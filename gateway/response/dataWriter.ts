import type { GraphQLObjectType, GraphQLSchema } from 'graphql';
import type { SharedObjects } from '../execution/internedTargets.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { sinkFullError } from './byteSink.ts';
import { ChunkedWriter } from './chunkedWriter.ts';
import type { ResponseChunks } from './responseChunks.ts';
import { sink, WriterGenerator, type WriterOptions, writerBailout } from './writerGenerator.ts';

/** Writes the JSON of a response straight from the response tree, with functions that are generated for the operation:
 *  one for each selection set and runtime type that occurs.
 *
 *  The functions only write ordinary responses. At anything else (a forbidden null, an invalid value, a type that the
 *  API schema hides, a host that forbids code generation) they bail out, and `shapeData` interprets the operation. */
export class DataWriter {
  readonly #schema: GraphQLSchema;
  readonly #root: SelectionSet;
  readonly #rootType: GraphQLObjectType;
  readonly #options: WriterOptions | undefined;
  #generator: WriterGenerator | undefined;

  constructor(
    schema: GraphQLSchema,
    root: SelectionSet,
    rootType: GraphQLObjectType,
    options?: WriterOptions,
  ) {
    this.#schema = schema;
    this.#options = options;
    this.#root = root;
    this.#rootType = rootType;
  }

  /** Returns `before`, the data and `after` in UTF-8; `undefined` for a response that is not ordinary. `before` and `after`
   *  are ASCII. `isEscapeFree`: no string of the tree needs an escape sequence. `shared`: objects that occur several times
   *  in the tree, whose bytes are copied. */
  write(
    tree: ResponseObject,
    isEscapeFree: boolean,
    before: string,
    after: string,
    shared?: SharedObjects,
  ): Buffer | 'too large' | undefined {
    try {
      const write = this.#usedGenerator.objectWriterOf(this.#root, this.#rootType);
      sink.begin(shared);
      const position = write(tree, sink.json(before, 0), isEscapeFree);
      return sink.take(sink.json(after, position));
    } catch (error) {
      if (isWriterBailout(error)) return undefined;
      if (error === sinkFullError) return 'too large';
      throw error;
    } finally {
      sink.begin(undefined);
    }
  }

  /** Returns an object of the response as JSON text; `undefined` if it is not ordinary, or too large to be written at
   *  once. */
  writeText(
    set: SelectionSet,
    type: GraphQLObjectType,
    object: ResponseObject,
    isEscapeFree: boolean,
    shared?: SharedObjects,
  ): string | undefined {
    try {
      sink.begin(shared);
      return sink.text(this.#usedGenerator.objectWriterOf(set, type)(object, 0, isEscapeFree));
    } catch (error) {
      if (isWriterBailout(error) || error === sinkFullError) return undefined;
      throw error;
    } finally {
      sink.begin(undefined);
    }
  }

  /** Writes the data of a response that is too large for `write`. Returns false for a response that is not ordinary. */
  *writeChunks(tree: ResponseObject, isEscapeFree: boolean, chunks: ResponseChunks): SlicedTask<boolean> {
    const writer = new ChunkedWriter(this.#usedGenerator, isEscapeFree, chunks);
    try {
      yield* writer.writeObject(this.#root, this.#rootType, tree);
      yield* writer.flush();
      return true;
    } catch (error) {
      if (isWriterBailout(error)) return false;
      throw error;
    }
  }

  get #usedGenerator(): WriterGenerator {
    this.#generator ??= new WriterGenerator(this.#schema, this.#options);
    return this.#generator;
  }
}

/** JSON.stringify throws a `RangeError` for values of custom scalars that are nested too deep. */
function isWriterBailout(error: unknown): boolean {
  return error === writerBailout || error instanceof RangeError;
}
