import type { KeyFields } from '../rules/cacheGraph.ts';

/** Where the values of a key's fields stand in an object, in the order of the key's fields. */
export type KeyReader = readonly KeyFieldReader[];

interface KeyFieldReader {
  readonly name: string;
  /** In the object: the field's name, or an alias. */
  readonly responseName: string;
  /** `undefined` for a leaf. */
  readonly nested: KeyReader | undefined;
}

/** JSON text that is the same for values that mean the same in a key: fields in the order of their names, and
 *  numbers, `true` and `false` as texts, since some subgraphs have an ID as a number. */
export function canonicalText(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(String(value));
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalText(field)}`).join(',')}}`;
}

/** Reads a key where its fields have their own names, as in representations. */
export function createKeyReader(fields: KeyFields): KeyReader {
  return [...fields].map(([name, nested]) => ({
    name,
    responseName: name,
    nested: nested.size === 0 ? undefined : createKeyReader(nested),
  }));
}

/** The canonical text of an object's key; `undefined` where a field of it is missing. */
export function readKey(reader: KeyReader, object: Readonly<Record<string, unknown>>): string | undefined {
  let text = '';
  for (const { name, responseName, nested } of reader) {
    if (!Object.hasOwn(object, responseName)) return undefined;
    const value = object[responseName];
    if (value === undefined) return undefined;
    const part = nested === undefined ? canonicalText(value) : readNested(nested, value);
    if (part === undefined) return undefined;
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${part}`;
  }
  return `{${text}}`;
}

function readNested(reader: KeyReader, value: unknown): string | undefined {
  if (value === null) return 'null';
  if (Array.isArray(value)) {
    const parts = value.map((element) => readNested(reader, element));
    return parts.includes(undefined) ? undefined : `[${parts.join(',')}]`;
  }
  return typeof value === 'object' ? readKey(reader, value as Record<string, unknown>) : undefined;
}
