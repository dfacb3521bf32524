import type { GraphQLFormattedError } from 'graphql';
import { contentToText, dataPrefix, dataSuffix, type SingleOutcome } from './executionOutcome.ts';

/** The JSON text before and after the data of a response. */
export function envelopeOf(
  errors: readonly GraphQLFormattedError[] | undefined,
  extensions: Readonly<Record<string, unknown>> | undefined,
): { readonly before: string; readonly after: string } {
  return {
    before: errors === undefined ? dataPrefix : `{"errors":${JSON.stringify(errors)},"data":`,
    after: extensions === undefined ? dataSuffix : `,"extensions":${JSON.stringify(extensions)}}`,
  };
}

/** The whole response as JSON text. */
export function serializeOutcome({ data, errors, extensions }: SingleOutcome): string {
  if (data === undefined) return JSON.stringify({ errors, extensions });
  const { before, after } = envelopeOf(errors, extensions);
  return contentToText(data.takeWrapped(before, after));
}
