import type { GraphQLFormattedError } from 'graphql';
import { postJson } from '../harness/postJson.ts';
import { MultipartReader, mergePayloads } from '../harness/rawHttp.ts';
import type { Trial } from '../harness/trial.ts';
import { type Answer, escapeInheritedNames, type Json, type Path, readJson } from './answer.ts';
import { type DeferFormat, viewerId } from './executeTrial.ts';

interface EnrichedBody {
  readonly data?: Json;
  readonly errors?: readonly GraphQLFormattedError[];
  readonly extensions?: {
    readonly tributary?: {
      readonly enrichment?: { readonly token?: string; readonly pending: readonly { readonly path: Path }[] };
    };
  };
}

interface Update {
  readonly path: Path;
  readonly data: Json;
  readonly errors: readonly GraphQLFormattedError[] | null;
  readonly hasNext: boolean;
}

interface EnrichedAnswer {
  /** The first response with all updates of its token. */
  readonly merged: Answer;
  /** The number of pending paths. */
  readonly pending: number;
}

interface EnrichedPayloads extends EnrichedAnswer {
  /** Empty if the response was complete. */
  readonly payloads: readonly unknown[];
}

/** Executes an operation as a client that waits for no enrichment and fetches the pending fields. @throws {Error}
 *  unless each pending path gets exactly one update. */
export async function executeEnriched(url: string, trial: Trial): Promise<EnrichedAnswer> {
  const text = await send(url, trial, 'application/json');
  return mergeUpdates(url, trial, readJson(text) as EnrichedBody);
}

/** The same for a client that accepts its deferred fragments incrementally. `headers`: additional headers. */
export async function executeEnrichedIncrementally(
  url: string,
  trial: Trial,
  format: DeferFormat,
  headers: Readonly<Record<string, string>> = {},
): Promise<EnrichedPayloads> {
  const accept = `multipart/mixed;${format}, application/json;q=0.9`;
  const text = await send(url, { ...trial, headers: { ...trial.headers, ...headers } }, accept);
  if (text.startsWith('{')) {
    return { payloads: [], ...(await mergeUpdates(url, trial, readJson(text) as EnrichedBody)) };
  }
  const reader = new MultipartReader();
  const payloads = reader.read(escapeInheritedNames(text));
  reader.assertClosed();
  const mayFillNulls = 'tributary-defer' in headers;
  const first = mergePayloads(payloads, mayFillNulls) as EnrichedBody;
  return { payloads, ...(await mergeUpdates(url, trial, first)) };
}

async function send(url: string, trial: Trial, accept: string): Promise<string> {
  const response = await postJson(
    url,
    { query: trial.source, variables: trial.variables },
    { accept, 'tributary-budget': '0ms', ...credentials(trial) },
  );
  return await response.text();
}

function credentials({ headers }: Trial): Readonly<Record<string, string>> {
  return { authorization: `Demo ${viewerId}`, ...headers };
}

async function mergeUpdates(url: string, trial: Trial, body: EnrichedBody): Promise<EnrichedAnswer> {
  const { data, errors = [], extensions } = body;
  const enrichment = extensions?.tributary?.enrichment;
  if (enrichment === undefined) return { merged: { data, errors }, pending: 0 };
  if (enrichment.token === undefined) throw new Error('The first response has pending fields but no token.');
  const updates = await fetchUpdates(new URL(`/enrichments/${enrichment.token}`, url), credentials(trial));
  const [expected, got] = [enrichment.pending, updates].map((entries) =>
    entries.map(({ path }) => JSON.stringify(path)).sort(),
  );
  if (JSON.stringify(expected) !== JSON.stringify(got)) {
    throw new Error(`Pending: ${String(expected)}\nupdates: ${String(got)}`);
  }
  return {
    merged: {
      data: updates.reduce((whole, { path, data: value }) => replaceNull(whole, path, value), data),
      errors: [...errors, ...updates.flatMap((update) => update.errors ?? [])],
    },
    pending: updates.length,
  };
}

async function fetchUpdates(url: URL, headers: Readonly<Record<string, string>>): Promise<readonly Update[]> {
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers } });
  const text = await response.text();
  const updates = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => readJson(line.slice('data: '.length)) as Update);
  const isRight = updates.every(({ hasNext }, index) => hasNext === index < updates.length - 1);
  if (!isRight || !text.includes('event: complete'))
    throw new Error(`The updates do not end correctly:\n${text}`);
  return updates;
}

/** The path must exist, and its value must be null. */
function replaceNull(whole: Json | undefined, path: Path, value: Json): Json {
  const [part, ...rest] = path;
  if (part === undefined) {
    if (whole !== null)
      throw new Error(`An update has the path of a value that is not null: ${JSON.stringify(whole)}.`);
    return value;
  }
  if (Array.isArray(whole)) {
    return whole.map((element, index) => (index === part ? replaceNull(element, rest, value) : element));
  }
  const object = whole as Readonly<Record<string, Json>>;
  return { ...object, [part]: replaceNull(object[part], rest, value) };
}
