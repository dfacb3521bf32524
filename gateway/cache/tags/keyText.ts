import { isRawNumber } from '../../json/exactJson.ts';
import type { KeyFields } from '../rules/cacheGraph.ts';

/** How to read the fields of a key from an object, in the order of the key. */
export type KeyReader = readonly KeyFieldReader[];

interface KeyFieldReader {
  readonly name: string;
  /** The name in the object: the field's name, or an alias. */
  readonly responseName: string;
  /** `undefined` for a leaf. */
  readonly nested: KeyReader | undefined;
}

/** JSON text that is equal for equal key values: fields are sorted, and numbers and booleans are written as strings,
 *  because some subgraphs send an ID as a number. Values that differ only below `maxDepth` have equal texts too: an
 *  invalidation of one then deletes the entries of both. */
export function canonicalText(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value !== 'object') return JSON.stringify(String(value));
  if (isRawNumber(value)) return JSON.stringify(value.rawJSON);
  if (depth === maxDepth) return truncatedText;
  if (Array.isArray(value)) return `[${value.map((element) => canonicalText(element, depth + 1)).join(',')}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalText(field, depth + 1)}`).join(',')}}`;
}

/** Levels of lists and objects in a key. Subgraphs may send any number, and recursion must end. */
const maxDepth = 100;
const truncatedText = '"…"';

/** Creates a reader for objects without aliases, such as representations. */
export function createKeyReader(fields: KeyFields): KeyReader {
  return [...fields].map(([name, nested]) => ({
    name,
    responseName: name,
    nested: nested.size === 0 ? undefined : createKeyReader(nested),
  }));
}

/** The canonical text of an object's key; `undefined` if one of its fields is missing. */
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

function readNested(reader: KeyReader, value: unknown, depth = 0): string | undefined {
  if (value === null) return 'null';
  if (Array.isArray(value)) {
    if (depth === maxDepth) return truncatedText;
    const parts = value.map((element) => readNested(reader, element, depth + 1));
    return parts.includes(undefined) ? undefined : `[${parts.join(',')}]`;
  }
  return typeof value === 'object' ? readKey(reader, value as Record<string, unknown>) : undefined;
}
