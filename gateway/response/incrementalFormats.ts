import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import { stringifyToTextInSlices } from '../json/stringifyInSlices.ts';
import type { IncrementalFormat } from '../operation/operationRequest.ts';
import type { DeferredFragment, SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import type { ResponseExtensions } from './responseExtensions.ts';

/** The data of a payload. A string is JSON text that generated code has written. `null` if a null was propagated to the
 *  payload's boundary. */
export type PayloadData = string | Record<string, unknown> | null;

/** The data of one deferred fragment at one path, with the id that the client knows it by. */
export interface DeliveredFragment {
  readonly id: number;
  readonly label: string | undefined;
  readonly path: ResponsePath;
  readonly data: PayloadData;
  readonly errors: readonly GraphQLFormattedError[];
}

export interface PendingFragment {
  readonly id: number;
  readonly label: string | undefined;
  readonly path: ResponsePath;
}

/** One format of incremental delivery. */
export interface PayloadFormat {
  /** The part of a fragment that its payload has. */
  selectionSetOf(fragment: DeferredFragment): SelectionSet;
  /** Whether a payload may have null for an object that the client has. */
  readonly mayReplaceObjects: boolean;
  formatFirst(payload: FirstPayload): SlicedTask<string>;
  formatNext(payload: NextPayload): SlicedTask<string>;
}

interface BasePayload {
  readonly pending: readonly PendingFragment[];
  readonly extensions: ResponseExtensions | undefined;
  readonly hasNext: boolean;
}

export interface FirstPayload extends BasePayload {
  /** JSON text. */
  readonly data: string;
  readonly errors: readonly GraphQLFormattedError[];
}

interface NextPayload extends BasePayload {
  readonly delivered: readonly DeliveredFragment[];
}

export function payloadFormat(format: IncrementalFormat): PayloadFormat {
  return format === 'deferSpec=20220824' ? deferSpec20220824 : incrementalSpecV02;
}

/** `deferSpec=20220824`: every entry has its path, its label and the whole fragment. */
const deferSpec20220824: PayloadFormat = {
  selectionSetOf: (fragment) => fragment.full,
  mayReplaceObjects: true,
  *formatFirst({ data, errors, extensions, hasNext }) {
    return `{${yield* errorsText(errors)}"data":${data}${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
  *formatNext({ delivered, extensions, hasNext }) {
    let entries = '';
    for (const [index, { label, path, data, errors }] of delivered.entries()) {
      if (index % entriesPerSlice === entriesPerSlice - 1) yield;
      const labelText = label === undefined ? '' : `,"label":${JSON.stringify(label)}`;
      entries += `${index === 0 ? '' : ','}{"data":${yield* dataText(data)},"path":${JSON.stringify(path)}${labelText}${yield* errorsMember(errors)}}`;
    }
    return `{"incremental":[${entries}]${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
};

/** `incrementalSpec=v0.2`: fragments are announced as pending, delivered by id and completed. Fields that were sent
 *  before are not repeated. */
const incrementalSpecV02: PayloadFormat = {
  selectionSetOf: (fragment) => fragment.own,
  mayReplaceObjects: false,
  *formatFirst({ data, errors, pending, extensions, hasNext }) {
    const pendingText = yield* stringifyToTextInSlices(pending.map(toPendingResult));
    return `{${yield* errorsText(errors)}"data":${data},"pending":${pendingText}${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
  *formatNext({ delivered, pending, extensions, hasNext }) {
    let incremental = '';
    let completed = '';
    for (const [index, { id, data, errors }] of delivered.entries()) {
      if (index % entriesPerSlice === entriesPerSlice - 1) yield;
      const comma = index === 0 ? '' : ',';
      if (data === null) {
        completed += `${comma}{"id":"${id}","errors":${yield* stringifyToTextInSlices(errors)}}`;
        continue;
      }
      completed += `${comma}{"id":"${id}"}`;
      incremental += `${incremental === '' ? '' : ','}{"id":"${id}","data":${yield* dataText(data)}${yield* errorsMember(errors)}}`;
    }
    const pendingText =
      pending.length === 0
        ? ''
        : `"pending":${yield* stringifyToTextInSlices(pending.map(toPendingResult))},`;
    const incrementalText = incremental === '' ? '' : `"incremental":[${incremental}],`;
    return `{${pendingText}${incrementalText}"completed":[${completed}]${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
};

/** Long lists of fragments pause after so many. */
const entriesPerSlice = 200;

function* dataText(data: PayloadData): SlicedTask<string> {
  return typeof data === 'string' ? data : yield* stringifyToTextInSlices(data);
}

/** The errors at the end of an entry. */
function* errorsMember(errors: readonly GraphQLFormattedError[]): SlicedTask<string> {
  return errors.length === 0 ? '' : `,"errors":${yield* stringifyToTextInSlices(errors)}`;
}

function toPendingResult({ id, label, path }: PendingFragment): Record<string, unknown> {
  return { id: String(id), path, ...(label === undefined ? {} : { label }) };
}

function* errorsText(errors: readonly GraphQLFormattedError[]): SlicedTask<string> {
  return errors.length === 0 ? '' : `"errors":${yield* stringifyToTextInSlices(errors)},`;
}

/** Extensions are short and need no slices. */
function extensionsText(extensions: ResponseExtensions | undefined): string {
  return extensions === undefined ? '' : `,"extensions":${JSON.stringify(extensions)}`;
}
