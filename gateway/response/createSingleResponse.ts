import type { GraphQLFormattedError } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import { fitsInChunk, stringifyInSlices } from '../json/stringifyInSlices.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { DataWriter } from './dataWriter.ts';
import { dataPrefix, dataSuffix, ResponseData, type SingleOutcome } from './executionOutcome.ts';
import type { ErrorPolicy } from './formatErrors.ts';
import type { PayloadData } from './incrementalFormats.ts';
import { clientCachingOf, type ResponseCaching } from './responseCaching.ts';
import { ResponseChunks, responseTooLargeError } from './responseChunks.ts';
import { createResponseExtensions } from './responseExtensions.ts';
import { ResponseShaper } from './responseShaper.ts';
import { StaleFields } from './staleExtension.ts';

/** A response with more errors has only so many as objects, and all of them as text. */
const maxErrorObjects = 1000;

/** Creates the response of an execution that has ended: at once, or as a task for a large response or one with errors.
 *  A response beyond `maxBytes` is an `OPERATION_TOO_COMPLEX` error. */
export function createSingleResponse(
  operation: PreparedOperation,
  execution: Execution,
  policy: ErrorPolicy,
  maxBytes: number,
): SingleOutcome | SlicedTask<SingleOutcome> {
  const { errors, staleValues, tree, isEscapeFree, sharedObjects } = execution;
  const bytes =
    errors.length === 0
      ? writerOf(operation).write(tree, isEscapeFree, dataPrefix, dataSuffix, sharedObjects)
      : undefined;
  if (!Buffer.isBuffer(bytes)) return createSlicedResponse(operation, execution, policy, maxBytes, bytes);
  if (bytes.length - dataPrefix.length - dataSuffix.length > maxBytes)
    return createFailedOutcome(responseTooLargeError(maxBytes));
  return staleValues.length === 0
    ? createOrdinaryOutcome(bytes, undefined, operation, execution)
    : createSlicedResponse(operation, execution, policy, maxBytes, bytes);
}

function* createSlicedResponse(
  operation: PreparedOperation,
  execution: Execution,
  policy: ErrorPolicy,
  maxBytes: number,
  written: Buffer | 'too large' | undefined,
): SlicedTask<SingleOutcome> {
  try {
    const content = written === 'too large' ? yield* writeLargeData(operation, execution, maxBytes) : written;
    const groups = completedGroupsOf(operation, execution);
    if (content !== undefined) {
      const stale = yield* new StaleFields(operation, execution).extensionOfGroups(groups, undefined);
      return createOrdinaryOutcome(content, createResponseExtensions(stale), operation, execution);
    }
    const shaping = new ResponseShaper({ operation, execution, policy, maxBytes });
    const { data, errors, stale } = yield* shaping.shapeFirst(groups);
    const caching = clientCachingOf(operation, execution);
    return yield* createShapedOutcome(
      { data, errors, extensions: createResponseExtensions(stale), caching },
      maxBytes,
    );
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return createFailedOutcome(error);
  }
}

/** The response of an operation whose planning or execution failed as a whole. */
export function createFailedOutcome(error: GatewayError): SingleOutcome {
  return {
    kind: 'single',
    data: new ResponseData('null'),
    errors: [error.toFormatted()],
    extensions: undefined,
    caching: undefined,
  };
}

type Extensions = Readonly<Record<string, unknown>> | undefined;

interface ShapedResponse {
  readonly data: PayloadData;
  readonly errors: readonly GraphQLFormattedError[];
  readonly extensions: Extensions;
  /** Ignored when there are errors. */
  readonly caching: ResponseCaching | undefined;
}

export function* createShapedOutcome(
  { data, errors, extensions, caching }: ShapedResponse,
  maxBytes: number,
): SlicedTask<SingleOutcome> {
  if (typeof data === 'string') {
    return { kind: 'single', data: new ResponseData(data), errors: undefined, extensions, caching };
  }
  const hasMany = errors.length > maxErrorObjects;
  return {
    kind: 'single',
    data:
      !hasMany && fitsInChunk(data)
        ? new ResponseData(JSON.stringify(data))
        : new ResponseData(yield* serializeToChunks(data, hasMany ? errors : undefined, maxBytes), {
            hasErrors: hasMany,
          }),
    errors: errors.length === 0 ? undefined : hasMany ? errors.slice(0, maxErrorObjects) : errors,
    extensions,
    caching: errors.length === 0 ? caching : undefined,
  };
}

function createOrdinaryOutcome(
  content: Buffer | readonly Buffer[],
  extensions: Extensions,
  operation: PreparedOperation,
  execution: Execution,
): SingleOutcome {
  return {
    kind: 'single',
    data: new ResponseData(content),
    errors: undefined,
    extensions,
    caching: clientCachingOf(operation, execution),
  };
}

/** Returns the bytes of the data in chunks; `undefined` for a response that is not ordinary. */
function* writeLargeData(
  operation: PreparedOperation,
  { tree, isEscapeFree }: Execution,
  maxBytes: number,
): SlicedTask<readonly Buffer[] | undefined> {
  const chunks = new ResponseChunks(maxBytes);
  return (yield* writerOf(operation).writeChunks(tree, isEscapeFree, chunks)) ? chunks.buffers : undefined;
}

function* serializeToChunks(
  data: unknown,
  errors: readonly GraphQLFormattedError[] | undefined,
  maxBytes: number,
): SlicedTask<readonly Buffer[]> {
  const chunks = new ResponseChunks(maxBytes);
  const add = (text: string): void => chunks.add(Buffer.from(text));
  if (errors !== undefined) {
    add('{"errors":');
    yield* stringifyInSlices(errors, add);
    add(',"data":');
  }
  yield* stringifyInSlices(data, add);
  return chunks.buffers;
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

/** The delivery groups whose errors belong to the first payload: the primary data, and complete enrichments. */
export function completedGroupsOf(
  operation: PreparedOperation,
  execution: Execution,
  pendingGroups: ReadonlySet<number> = new Set(),
): ReadonlySet<number> {
  const groups = new Set([0]);
  for (const { group } of operation.enrichments) {
    if (execution.isComplete(group) && !pendingGroups.has(group)) groups.add(group);
  }
  return groups;
}
