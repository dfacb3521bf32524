import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { AnswerErrors } from './answerErrors.ts';
import { DataWriter } from './dataWriter.ts';
import type { ErrorPolicy } from './formatErrors.ts';
import { afterData, beforeData, ResponseText, type SingleOutcome } from './outcome.ts';
import { shapeData } from './shape.ts';

/** The whole answer of an operation whose execution has ended. */
export function singleResponse(
  operation: PreparedOperation,
  execution: Execution,
  policy: ErrorPolicy,
): SingleOutcome {
  const bytes =
    execution.errors.length === 0
      ? writerOf(operation).write(execution.tree, execution.isEscapeFree, beforeData, afterData)
      : undefined;
  if (bytes !== undefined) {
    return { kind: 'single', data: new ResponseText(bytes), errors: undefined, extensions: undefined };
  }
  const { root, rootType, supergraph } = operation;
  const answerErrors = new AnswerErrors(operation, execution, policy);
  const shaped = shapeData(supergraph.apiSchema, root, rootType, execution.tree, [], {
    causeOf: answerErrors.causeOf,
  });
  const errors = answerErrors.ofGroup(0, shaped.errors);
  return {
    kind: 'single',
    data: new ResponseText(JSON.stringify(shaped.data)),
    errors: errors.length === 0 ? undefined : errors,
    extensions: undefined,
  };
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
