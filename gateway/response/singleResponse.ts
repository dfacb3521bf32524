import type { GraphQLFormattedError } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import { isLight, stringifyInSlices } from '../json/stringifyInSlices.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import { AnswerErrors } from './answerErrors.ts';
import { AnswerParts } from './answerParts.ts';
import { DataWriter } from './dataWriter.ts';
import type { ErrorPolicy } from './formatErrors.ts';
import { afterData, beforeData, ResponseText, type SingleOutcome } from './outcome.ts';
import { shapeData } from './shape.ts';

/** Of more errors than this, only so many are handed on as objects. */
const mostErrors = 1000;

/** The whole answer of an operation whose execution has ended, or the work that makes it. What would have more than
 *  `maxBytes` is no answer, but an error that says so. */
export function singleResponse(
  operation: PreparedOperation,
  execution: Execution,
  policy: ErrorPolicy,
  maxBytes: number,
): SingleOutcome | SlicedWork<SingleOutcome> {
  const { errors, tree, isEscapeFree } = execution;
  const bytes =
    errors.length === 0 ? writerOf(operation).write(tree, isEscapeFree, beforeData, afterData) : undefined;
  return Buffer.isBuffer(bytes)
    ? ordinaryOutcome(bytes)
    : slicedResponse(operation, execution, policy, maxBytes, bytes === 'too large');
}

function* slicedResponse(
  operation: PreparedOperation,
  execution: Execution,
  policy: ErrorPolicy,
  maxBytes: number,
  isLarge: boolean,
): SlicedWork<SingleOutcome> {
  try {
    if (isLarge) {
      const parts = new AnswerParts(maxBytes);
      const { tree, isEscapeFree } = execution;
      if (yield* writerOf(operation).writeParts(tree, isEscapeFree, parts)) {
        return ordinaryOutcome(parts.buffers);
      }
    }
    const { root, rootType, supergraph } = operation;
    const answerErrors = new AnswerErrors(operation, execution, policy);
    yield* answerErrors.read();
    const shaped = yield* shapeData(supergraph.apiSchema, root, rootType, execution.tree, [], {
      causeOf: answerErrors.causeOf,
      maxBytes,
    });
    const errors = yield* answerErrors.ofGroup(0, shaped.errors);
    return yield* shapedOutcome(shaped.data, errors, maxBytes);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return failedOutcome(error);
  }
}

/** An answer that has been executed and cannot be told. */
export function failedOutcome(error: GatewayError): SingleOutcome {
  return {
    kind: 'single',
    data: new ResponseText('null'),
    errors: [error.toFormatted()],
    extensions: undefined,
  };
}

/** The answer with this data and these errors. */
export function* shapedOutcome(
  data: unknown,
  errors: readonly GraphQLFormattedError[],
  maxBytes: number,
): SlicedWork<SingleOutcome> {
  const hasMany = errors.length > mostErrors;
  return {
    kind: 'single',
    data:
      !hasMany && isLight(data)
        ? new ResponseText(JSON.stringify(data))
        : new ResponseText(yield* partsOf(data, hasMany ? errors : undefined, maxBytes), {
            hasErrors: hasMany,
          }),
    errors: errors.length === 0 ? undefined : hasMany ? errors.slice(0, mostErrors) : errors,
    extensions: undefined,
  };
}

function ordinaryOutcome(content: Buffer | readonly Buffer[]): SingleOutcome {
  return { kind: 'single', data: new ResponseText(content), errors: undefined, extensions: undefined };
}

function* partsOf(
  data: unknown,
  errors: readonly GraphQLFormattedError[] | undefined,
  maxBytes: number,
): SlicedWork<readonly Buffer[]> {
  const parts = new AnswerParts(maxBytes);
  const add = (text: string): void => parts.add(Buffer.from(text));
  if (errors !== undefined) {
    add('{"errors":');
    yield* stringifyInSlices(errors, add);
    add(',"data":');
  }
  yield* stringifyInSlices(data, add);
  return parts.buffers;
}

function writerOf(operation: PreparedOperation): DataWriter {
  let writer = writers.get(operation);
  if (writer === undefined) {
    writer = new DataWriter(operation.supergraph.apiSchema, operation.root, operation.rootType);
    writers.set(operation, writer);
  }
  return writer;
}

const writers = new WeakMap<PreparedOperation, DataWriter>();
