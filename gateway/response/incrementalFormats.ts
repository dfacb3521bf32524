import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import { textInSlices } from '../json/stringifyInSlices.ts';
import type { IncrementalFormat } from '../operation/request.ts';
import type { DeferredFragment, SelectionSet } from '../operation/selection.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import type { AnswerExtensions } from './answerExtensions.ts';

/** The data of one deferred fragment at one place, with the number that it is known by. */
export interface DeliveredFragment {
  readonly id: number;
  readonly label: string | undefined;
  readonly path: ResponsePath;
  /** `null` where a null went up to the fragment's boundary. */
  readonly data: Record<string, unknown> | null;
  readonly errors: readonly GraphQLFormattedError[];
}

export interface AnnouncedFragment {
  readonly id: number;
  readonly label: string | undefined;
  readonly path: ResponsePath;
}

/** How payloads are written for one kind of client. */
export interface PayloadFormat {
  /** What of a fragment a payload carries. */
  selectionOf(fragment: DeferredFragment): SelectionSet;
  first(payload: FirstPayload): SlicedWork<string>;
  next(payload: NextPayload): SlicedWork<string>;
}

interface AnyPayload {
  readonly pending: readonly AnnouncedFragment[];
  readonly extensions: AnswerExtensions | undefined;
  readonly hasNext: boolean;
}

export interface FirstPayload extends AnyPayload {
  /** JSON text. */
  readonly data: string;
  readonly errors: readonly GraphQLFormattedError[];
}

export interface NextPayload extends AnyPayload {
  readonly delivered: readonly DeliveredFragment[];
}

export function payloadFormat(format: IncrementalFormat): PayloadFormat {
  return format === 'deferSpec=20220824' ? format20220824 : formatV02;
}

/** `deferSpec=20220824`: every entry tells its path and label and holds the whole fragment. */
const format20220824: PayloadFormat = {
  selectionOf: (fragment) => fragment.full,
  *first({ data, errors, extensions, hasNext }) {
    return `{${yield* errorsText(errors)}"data":${data}${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
  next: ({ delivered, extensions, hasNext }) =>
    textInSlices({
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

/** `incrementalSpec=v0.2`: fragments are announced as pending, delivered by id and completed; what was sent
 *  before is left out. */
const formatV02: PayloadFormat = {
  selectionOf: (fragment) => fragment.own,
  *first({ data, errors, pending, extensions, hasNext }) {
    const pendingText = yield* textInSlices(pending.map(announced));
    return `{${yield* errorsText(errors)}"data":${data},"pending":${pendingText}${extensionsText(extensions)},"hasNext":${hasNext}}`;
  },
  next: ({ delivered, pending, extensions, hasNext }) => {
    const incremental = delivered.flatMap(({ id, data, errors }) =>
      data === null ? [] : [{ id: String(id), data, ...(errors.length === 0 ? {} : { errors }) }],
    );
    return textInSlices({
      ...(pending.length === 0 ? {} : { pending: pending.map(announced) }),
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

function announced({ id, label, path }: AnnouncedFragment): Record<string, unknown> {
  return { id: String(id), path, ...(label === undefined ? {} : { label }) };
}

function* errorsText(errors: readonly GraphQLFormattedError[]): SlicedWork<string> {
  return errors.length === 0 ? '' : `"errors":${yield* textInSlices(errors)},`;
}

/** Short at any time, unlike errors. */
function extensionsText(extensions: AnswerExtensions | undefined): string {
  return extensions === undefined ? '' : `,"extensions":${JSON.stringify(extensions)}`;
}
