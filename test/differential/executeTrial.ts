import type { GraphQLFormattedError } from 'graphql';
import { postJson } from '../harness/postJson.ts';
import { MultipartReader, mergePayloads } from '../harness/rawHttp.ts';
import type { Trial } from '../harness/trial.ts';
import { type Answer, escapeInheritedNames, type Json, readJson } from './answer.ts';

export type DeferFormat = 'deferSpec=20220824' | 'incrementalSpec=v0.2';

export const deferFormats: readonly DeferFormat[] = ['deferSpec=20220824', 'incrementalSpec=v0.2'];

interface IncrementalAnswer {
  /** Empty if nothing was deferred and the response was complete. */
  readonly payloads: readonly unknown[];
  readonly merged: Answer;
}

/** The account that sends the requests of these tests. */
export const viewerId = 'a11';

/** Executes an operation and returns one complete response as JSON. */
export async function executeTrial(url: string, trial: Trial): Promise<Answer> {
  return toAnswer(readJson(await send(url, trial, 'application/json')));
}

/** Accepts deferred fragments in the given format. @throws {Error} for payloads that a client could misread. */
export async function executeTrialIncrementally(
  url: string,
  trial: Trial,
  format: DeferFormat,
): Promise<IncrementalAnswer> {
  const text = await send(url, trial, `multipart/mixed;${format}, application/json;q=0.9`);
  if (text.startsWith('{')) return { payloads: [], merged: toAnswer(readJson(text)) };
  const reader = new MultipartReader();
  const payloads = reader.read(escapeInheritedNames(text));
  reader.assertClosed();
  return { payloads, merged: toAnswer(mergePayloads(payloads)) };
}

async function send(url: string, { source, variables, headers }: Trial, accept: string): Promise<string> {
  const response = await postJson(
    url,
    { query: source, variables },
    { accept, authorization: `Demo ${viewerId}`, ...headers },
  );
  return await response.text();
}

function toAnswer(body: unknown): Answer {
  const { data, errors = [] } = body as { data?: Json; errors?: readonly GraphQLFormattedError[] };
  return { data, errors };
}
