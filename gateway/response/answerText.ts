import { type ResponseText, type SingleOutcome, textOf } from './outcome.ts';

/** The whole of an answer as JSON text. */
export function answerText({ data, errors, extensions }: SingleOutcome): string {
  const before = errors === undefined ? '' : `"errors":${JSON.stringify(errors)}`;
  const after = extensions === undefined ? '' : `"extensions":${JSON.stringify(extensions)}`;
  if (data === undefined) return `{${[before, after].filter((part) => part !== '').join(',')}}`;
  return dataText(data, before === '' ? '{"data":' : `{${before},"data":`, after === '' ? '}' : `,${after}}`);
}

function dataText(data: ResponseText, before: string, after: string): string {
  return textOf(data.takeWithin(before, after));
}
