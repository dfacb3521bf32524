import {
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import { partsOf, stringifyInSlices } from '../json/stringifyInSlices.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import type { AnswerParts } from './answerParts.ts';
import { sinkIsFull } from './byteSink.ts';
import { nameText, sink, type WriterGenerator } from './writerGenerator.ts';

/** After so many bytes the sink is emptied, and others have their turn. */
const partSize = 128 * 1024;

/** Writes a large answer in parts: whatever fits into the sink by the generated writer, what does not fit element
 *  by element and field by field. Between the parts the sink is for others. Throws `notOrdinary`. */
export class PartsWriter {
  readonly #generator: WriterGenerator;
  readonly #isEscapeFree: boolean;
  readonly #parts: AnswerParts;
  #position = 0;

  constructor(generator: WriterGenerator, isEscapeFree: boolean, parts: AnswerParts) {
    this.#generator = generator;
    this.#isEscapeFree = isEscapeFree;
    this.#parts = parts;
  }

  *object(set: SelectionSet, type: GraphQLObjectType, object: ResponseObject): SlicedWork {
    const { fields } = set.collect(this.#generator.schema, type);
    if (fields.length === 0) this.#text('{');
    for (const [index, field] of fields.entries()) {
      this.#text(nameText(field, index));
      if (field.fieldName === '__typename') this.#text(`"${type.name}"`);
      else yield* this.#value(field.type, field.set, object[field.internalName]);
    }
    this.#text('}');
  }

  /** Hands over what is in the sink. */
  *flush(): SlicedWork {
    if (this.#position === 0) return;
    this.#parts.add(sink.take(this.#position));
    this.#position = 0;
    yield;
  }

  *#value(type: GraphQLOutputType, set: SelectionSet | undefined, value: unknown): SlicedWork {
    if (!this.#writeWhole(type, set, value)) {
      yield* this.flush();
      yield* this.#apart(isNonNullType(type) ? type.ofType : type, set, value);
    }
    if (this.#position >= partSize) yield* this.flush();
  }

  /** False where it does not fit. */
  #writeWhole(type: GraphQLOutputType, set: SelectionSet | undefined, value: unknown): boolean {
    try {
      const write = this.#generator.valueWriterOf(type, set);
      this.#position = write(value, this.#position, this.#isEscapeFree);
      return true;
    } catch (error) {
      if (error === sinkIsFull) return false;
      throw error;
    }
  }

  /** A value too large for one go, and therefore of the right kind. */
  *#apart(type: GraphQLOutputType, set: SelectionSet | undefined, value: unknown): SlicedWork {
    if (isListType(type)) {
      const list = value as readonly unknown[];
      this.#text('[');
      for (let i = 0; i < list.length; i++) {
        if (i > 0) this.#text(',');
        // Mostly it fits, and needs no work of its own.
        if (!this.#writeWhole(type.ofType, set, list[i])) yield* this.#value(type.ofType, set, list[i]);
        else if (this.#position >= partSize) yield* this.flush();
      }
      this.#text(']');
    } else if (!isLeafType(type)) {
      const object = value as ResponseObject;
      const objectType = this.#generator.objectTypeOf(type as GraphQLCompositeType, object);
      yield* this.object(set as SelectionSet, objectType, object);
    } else if (typeof value === 'string') {
      this.#text('"');
      for (const part of partsOf(value)) {
        this.#text(this.#isEscapeFree ? part : JSON.stringify(part).slice(1, -1));
        yield* this.flush();
      }
      this.#text('"');
    } else {
      yield* stringifyInSlices(value, (text) => this.#parts.add(Buffer.from(text)));
    }
  }

  #text(text: string): void {
    this.#position = sink.json(text, this.#position);
  }
}
