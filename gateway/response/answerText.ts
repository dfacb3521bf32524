import type { GraphQLFormattedError } from 'graphql';
import { afterData, beforeData, type SingleOutcome, textOf } from './outcome.ts';

/** What stands before and after an answer's data, as JSON text. */
export function aroundData(
  errors: readonly GraphQLFormattedError[] | undefined,
  extensions: Readonly<Record<string, unknown>> | undefined,
): { readonly before: string; readonly after: string } {
  return {
    before: errors === undefined ? beforeData : `{"errors":${JSON.stringify(errors)},"data":`,
    after: extensions === undefined ? afterData : `,"extensions":${JSON.stringify(extensions)}}`,
  };
}

/** The whole of an answer as JSON text. */
export function answerText({ data, errors, extensions }: SingleOutcome): string {
  if (data === undefined) return JSON.stringify({ errors, extensions });
  const { before, after } = aroundData(errors, extensions);
  return textOf(data.takeWithin(before, after));
}
