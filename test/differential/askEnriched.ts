import type { GraphQLFormattedError } from 'graphql';
import { type Answer, type Json, type Path, readJson } from './answer.ts';
import { type Trial, viewerId } from './askGateway.ts';

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

export interface EnrichedAnswer {
  /** The first answer with everything that came for its token. */
  readonly merged: Answer;
  /** How many places had to be picked up. */
  readonly pending: number;
}

/** A complete answer of a client that waits for no enrichment, and picks up what is late.
 *  Errors: where not each of the places that are pending gets exactly one update. */
export async function askEnriched(
  url: string,
  { source, variables, headers }: Trial,
): Promise<EnrichedAnswer> {
  const who = { authorization: `Demo ${viewerId}`, ...headers };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'tributary-budget': '0ms',
      ...who,
    },
    body: JSON.stringify({ query: source, variables }),
  });
  const { data, errors = [], extensions } = readJson(await response.text()) as EnrichedBody;
  const enrichment = extensions?.tributary?.enrichment;
  if (enrichment === undefined) return { merged: { data, errors }, pending: 0 };
  if (enrichment.token === undefined) throw new Error('The first answer has no token for what is pending.');
  const updates = await pickUp(new URL(`/enrichments/${enrichment.token}`, url), who);
  const [expected, got] = [enrichment.pending, updates].map((places) =>
    places.map(({ path }) => JSON.stringify(path)).sort(),
  );
  if (JSON.stringify(expected) !== JSON.stringify(got)) {
    throw new Error(`Pending: ${String(expected)}\nupdates: ${String(got)}`);
  }
  return {
    merged: {
      data: updates.reduce((whole, { path, data: value }) => withValue(whole, path, value), data),
      errors: [...errors, ...updates.flatMap((update) => update.errors ?? [])],
    },
    pending: updates.length,
  };
}

async function pickUp(url: URL, headers: Readonly<Record<string, string>>): Promise<readonly Update[]> {
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers } });
  const text = await response.text();
  const updates = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => readJson(line.slice('data: '.length)) as Update);
  const isRight = updates.every(({ hasNext }, index) => hasNext === index < updates.length - 1);
  if (!isRight || !text.includes('event: complete')) throw new Error(`The updates do not end well:\n${text}`);
  return updates;
}

/** The place must be there, and null. */
function withValue(whole: Json | undefined, path: Path, value: Json): Json {
  const [part, ...rest] = path;
  if (part === undefined) {
    if (whole !== null) throw new Error(`An update is for a place that has ${JSON.stringify(whole)}.`);
    return value;
  }
  if (Array.isArray(whole)) {
    return whole.map((element, index) => (index === part ? withValue(element, rest, value) : element));
  }
  const object = whole as Readonly<Record<string, Json>>;
  return { ...object, [part]: withValue(object[part], rest, value) };
}
