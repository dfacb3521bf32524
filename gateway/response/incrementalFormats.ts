import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import { stringifyToTextInSlices } from '../json/stringifyInSlices.ts';
import type { IncrementalFormat } from '../operation/operationRequest.ts';
import type { DeferredFragment, SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import type { ResponseExtensions } from './responseExtensions.ts';

/** The data of one deferred fragment at one path, with the id that the client knows it by. */
export interface DeliveredFragment {
  readonly id: number;
  readonly label: string | undefined;
  readonly path: ResponsePath;
  /** `null` if a null was propagated to the fragment's boundary. */
  readonly data: Record<string, unknown> | null;
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
  *formatFirst({ data, errors, extensions, hasNext }) {
    return `{${yield* errorsText(errors)}"data":${data}${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
  formatNext: ({ delivered, extensions, hasNext }) =>
    stringifyToTextInSlices({
      incremental: delivered.map(({ label, path, data, errors }) => ({
        data,
        path,
        ...(label === undefined ? {} : { label }),
        ...(errors.length === 0 ? {} : { errors }),
      })),
      ...(extensions === undefined ? {} : { extensions }),
      hasNext,
    }),
};

/** `incrementalSpec=v0.2`: fragments are announced as pending, delivered by id and completed. Fields that were sent
 *  before are not repeated. */
const incrementalSpecV02: PayloadFormat = {
  selectionSetOf: (fragment) => fragment.own,
  *formatFirst({ data, errors, pending, extensions, hasNext }) {
    const pendingText = yield* stringifyToTextInSlices(pending.map(toPendingResult));
    return `{${yield* errorsText(errors)}"data":${data},"pending":${pendingText}${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
  formatNext: ({ delivered, pending, extensions, hasNext }) => {
    const incremental = delivered.flatMap(({ id, data, errors }) =>
      data === null ? [] : [{ id: String(id), data, ...(errors.length === 0 ? {} : { errors }) }],
    );
    return stringifyToTextInSlices({
      ...(pending.length === 0 ? {} : { pending: pending.map(toPendingResult) }),
      ...(incremental.length === 0 ? {} : { incremental }),
      completed: delivered.map(({ id, data, errors }) => ({
        id: String(id),
        ...(data === null ? { errors } : {}),
      })),
      ...(extensions === undefined ? {} : { extensions }),
      hasNext,
    });
  },
};

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
