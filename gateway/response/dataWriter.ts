import type { GraphQLObjectType, GraphQLSchema } from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { sinkFullError } from './byteSink.ts';
import { ChunkedWriter } from './chunkedWriter.ts';
import type { ResponseChunks } from './responseChunks.ts';
import { sink, WriterGenerator, writerBailout } from './writerGenerator.ts';

/** Writes an answer's JSON straight from the response tree, by functions generated for the operation: one for
 *  each selection set and runtime type that occurs.
 *
 *  It only knows ordinary answers. At anything else (a null that must not be, a value of the wrong kind, a type
 *  the API schema hides, a host that forbids code generation) it gives up, and `shapeData` does it properly. */
export class DataWriter {
  readonly #schema: GraphQLSchema;
  readonly #root: SelectionSet;
  readonly #rootType: GraphQLObjectType;
  #generator: WriterGenerator | undefined;

  constructor(schema: GraphQLSchema, root: SelectionSet, rootType: GraphQLObjectType) {
    this.#schema = schema;
    this.#root = root;
    this.#rootType = rootType;
  }

  /** UTF-8 of `before`, the data and `after`, which are ASCII. `isEscapeFree`: no string in the tree needs an
   *  escape sequence. `undefined` where the answer is not ordinary. */
  write(
    tree: ResponseObject,
    isEscapeFree: boolean,
    before: string,
    after: string,
  ): Buffer | 'too large' | undefined {
    try {
      this.#generator ??= new WriterGenerator(this.#schema);
      const write = this.#generator.objectWriterOf(this.#root, this.#rootType);
      const position = write(tree, sink.json(before, 0), isEscapeFree);
      return sink.take(sink.json(after, position));
    } catch (error) {
      if (isWriterBailout(error)) return undefined;
      if (error === sinkFullError) return 'too large';
      throw error;
    }
  }

  /** The same for an answer that is too large for one go: adds the bytes of the data to `parts`. False where the answer is not ordinary. */
  *writeChunks(tree: ResponseObject, isEscapeFree: boolean, parts: ResponseChunks): SlicedTask<boolean> {
    this.#generator ??= new WriterGenerator(this.#schema);
    const writer = new ChunkedWriter(this.#generator, isEscapeFree, parts);
    try {
      yield* writer.writeObject(this.#root, this.#rootType, tree);
      yield* writer.flush();
      return true;
    } catch (error) {
      if (isWriterBailout(error)) return false;
      throw error;
    }
  }
}

/** JSON.stringify, for values of custom scalars, recurses as deep as these are. */
function isWriterBailout(error: unknown): boolean {
  return error === writerBailout || error instanceof RangeError;
}
