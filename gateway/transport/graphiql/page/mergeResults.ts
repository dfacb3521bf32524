import type { Payload } from './sendOperation.ts';

type Path = readonly (string | number)[];

/** An update of one pending field of an answer. */
export interface EnrichmentUpdate {
  readonly path: Path;
  readonly data: unknown;
  readonly errors: readonly unknown[] | null;
  readonly hasNext: boolean;
}

/** Returns the answer with a further payload in it. Leaves `answer` unchanged. The result has no `hasNext`: GraphiQL shows it
 *  as it is. GraphiQL's own merging, of results with `hasNext`, replaces lists and nested objects. */
export function withPayload(answer: Payload, { incremental = [], hasNext: _, ...own }: Payload): Payload {
  let merged = add(answer, own);
  for (const { path = [], data: added, label: _, ...part } of incremental) {
    // `null`: the deferred fields failed, and the errors say why.
    const data = added === null ? merged.data : changeAt(merged.data, path, (value) => merge(value, added));
    merged = add({ ...merged, data }, part);
  }
  return merged;
}

/** Returns the answer with the update in it. Leaves `answer` unchanged. */
export function withUpdate(answer: Payload, { path, data, errors }: EnrichmentUpdate): Payload {
  const updated = { ...answer, data: changeAt(answer.data, path, () => data) };
  return errors === null ? updated : add(updated, { errors });
}

function add(answer: Payload, added: Payload): Payload {
  return {
    ...answer,
    ...added,
    ...(added.errors && { errors: [...(answer.errors ?? []), ...added.errors] }),
    ...(added.extensions && { extensions: { ...answer.extensions, ...added.extensions } }),
  };
}

/** Copies the objects and lists on the path. */
function changeAt(data: unknown, [key, ...remaining]: Path, change: (value: unknown) => unknown): unknown {
  if (key === undefined) return change(data);
  return isObject(data) ? replaceAt(data, key, changeAt(data[key], remaining, change)) : data;
}

/** Merges objects by field and lists by index: deferred fields may be in objects that the answer has. */
function merge(value: unknown, added: unknown): unknown {
  if (!isObject(value) || !isObject(added)) return added;
  return Object.entries(added).reduce(
    (merged, [key, own]) => replaceAt(merged, key, merge(merged[key], own)),
    value,
  );
}

type Data = Readonly<Record<string | number, unknown>>;

function isObject(value: unknown): value is Data {
  return typeof value === 'object' && value !== null;
}

function replaceAt(data: Data, key: string | number, value: unknown): Data {
  const member = { [key]: value };
  return Array.isArray(data) ? Object.assign([...data], member) : { ...data, ...member };
}
