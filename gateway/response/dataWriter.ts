import type { GraphQLObjectType, GraphQLSchema } from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import type { AnswerParts } from './answerParts.ts';
import { sinkIsFull } from './byteSink.ts';
import { PartsWriter } from './partsWriter.ts';
import { notOrdinary, sink, WriterGenerator } from './writerGenerator.ts';

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
      const write = this.#generator.writerOf(this.#root, this.#rootType);
      const position = write(tree, sink.json(before, 0), isEscapeFree);
      return sink.take(sink.json(after, position));
    } catch (error) {
      if (isNotOrdinary(error)) return undefined;
      if (error === sinkIsFull) return 'too large';
      throw error;
    }
  }

  /** The same for an answer that is too large for one go: adds the bytes of the data to `parts`. False where the answer is not ordinary. */
  *writeParts(tree: ResponseObject, isEscapeFree: boolean, parts: AnswerParts): SlicedWork<boolean> {
    this.#generator ??= new WriterGenerator(this.#schema);
    const writer = new PartsWriter(this.#generator, isEscapeFree, parts);
    try {
      yield* writer.object(this.#root, this.#rootType, tree);
      yield* writer.flush();
      return true;
    } catch (error) {
      if (isNotOrdinary(error)) return false;
      throw error;
    }
  }
}

/** JSON.stringify, for values of custom scalars, recurses as deep as these are. */
function isNotOrdinary(error: unknown): boolean {
  return error === notOrdinary || error instanceof RangeError;
}
