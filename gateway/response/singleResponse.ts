import type { GraphQLFormattedError } from 'graphql';
import type { ResponseCaching } from '../cache/rules/responseCaching.ts';
import { GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import { isLight, stringifyInSlices } from '../json/stringifyInSlices.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import { answerCaching } from './answerCaching.ts';
import { answerExtensions } from './answerExtensions.ts';
import { AnswerParts } from './answerParts.ts';
import { AnswerShaping } from './answerShaping.ts';
import { completeGroups } from './completeGroups.ts';
import { DataWriter } from './dataWriter.ts';
import type { ErrorPolicy } from './formatErrors.ts';
import { afterData, beforeData, ResponseText, type SingleOutcome } from './outcome.ts';
import { StaleFields } from './staleExtension.ts';

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
  const { errors, stale, tree, isEscapeFree } = execution;
  const bytes =
    errors.length === 0 ? writerOf(operation).write(tree, isEscapeFree, beforeData, afterData) : undefined;
  return Buffer.isBuffer(bytes) && stale.length === 0
    ? ordinaryOutcome(bytes, undefined, operation, execution)
    : slicedResponse(operation, execution, policy, maxBytes, bytes);
}

function* slicedResponse(
  operation: PreparedOperation,
  execution: Execution,
  policy: ErrorPolicy,
  maxBytes: number,
  written: Buffer | 'too large' | undefined,
): SlicedWork<SingleOutcome> {
  try {
    const content = written === 'too large' ? yield* writeLarge(operation, execution, maxBytes) : written;
    const groups = completeGroups(operation, execution);
    if (content !== undefined) {
      const stale = yield* new StaleFields(operation, execution).ofGroups(groups, undefined);
      return ordinaryOutcome(content, answerExtensions(stale), operation, execution);
    }
    const shaping = new AnswerShaping({ operation, execution, policy, maxBytes });
    const { data, errors, stale } = yield* shaping.first(groups);
    const caching = answerCaching(operation, execution);
    return yield* shapedOutcome({ data, errors, extensions: answerExtensions(stale), caching }, maxBytes);
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
    caching: undefined,
  };
}

type Extensions = Readonly<Record<string, unknown>> | undefined;

export interface ShapedAnswer {
  readonly data: unknown;
  readonly errors: readonly GraphQLFormattedError[];
  readonly extensions: Extensions;
  /** Of its data; with errors it is not kept. */
  readonly caching: ResponseCaching | undefined;
}

export function* shapedOutcome(
  { data, errors, extensions, caching }: ShapedAnswer,
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
    extensions,
    caching: errors.length === 0 ? caching : undefined,
  };
}

function ordinaryOutcome(
  content: Buffer | readonly Buffer[],
  extensions: Extensions,
  operation: PreparedOperation,
  execution: Execution,
): SingleOutcome {
  return {
    kind: 'single',
    data: new ResponseText(content),
    errors: undefined,
    extensions,
    caching: answerCaching(operation, execution),
  };
}

/** The bytes of the data in parts, or `undefined` where the answer is not ordinary. */
function* writeLarge(
  operation: PreparedOperation,
  { tree, isEscapeFree }: Execution,
  maxBytes: number,
): SlicedWork<readonly Buffer[] | undefined> {
  const parts = new AnswerParts(maxBytes);
  return (yield* writerOf(operation).writeParts(tree, isEscapeFree, parts)) ? parts.buffers : undefined;
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
