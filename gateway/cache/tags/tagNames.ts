import { hash } from 'node:crypto';

// Different things have different tags for any names: each kind has its own prefix, and JSON escapes the
// rest, including NUL and lone surrogates.

/** The tag of all entries from a subgraph. */
export function subgraphTag(name: string): string {
  return `subgraph:${escapeName(name)}`;
}

/** The tag of all entries that contain, or may contain, an object of an object type. */
export function typeTag(typeName: string): string {
  return `type:${escapeName(typeName)}`;
}

/** The tag of all entries that contain this entity. `keyText`: the fields of one key as `canonicalText`. */
export function entityTagOf(typeName: string, keyText: string): string {
  // Keys can contain whole documents.
  if (keyText.length > maxKeyLength) {
    return `entity-hash:${JSON.stringify([typeName, hash('sha256', keyText, 'base64url')])}`;
  }
  return `entity:[${JSON.stringify(typeName)},${keyText}]`;
}

const maxKeyLength = 512;

/** The tag of all entries that contain an entity of a type with exactly these known keys, often none. Invalidating an
 *  entity by another key must delete them, because they may contain it. `knownKeys`: texts as in `EntityKey`. */
export function unknownEntityTag(typeName: string, knownKeys: readonly string[] = []): string {
  return `unknown-entity:${JSON.stringify([typeName, ...[...knownKeys].sort()])}`;
}

/** A tag from a cache rule or from `extensions.cacheTags`. */
export function customTag(text: string): string {
  return `tag:${escapeName(text)}`;
}

function escapeName(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** A tag that consists of a kind and one name. */
export interface NamedTag {
  readonly kind: 'subgraph' | 'type' | 'custom';
  readonly name: string;
}

const kindByPrefix: ReadonlyMap<string, NamedTag['kind']> = new Map([
  ['subgraph', 'subgraph'],
  ['type', 'type'],
  ['tag', 'custom'],
]);

/** `undefined` for entity tags, and for text that is not a tag. */
export function parseTag(tag: string): NamedTag | undefined {
  const colon = tag.indexOf(':');
  const kind = kindByPrefix.get(tag.slice(0, colon));
  if (kind === undefined) return undefined;
  try {
    return { kind, name: JSON.parse(`"${tag.slice(colon + 1)}"`) };
  } catch {
    return undefined;
  }
}

/** Whether the tag names one entity by one of its keys. */
export function isEntityTag(tag: string): boolean {
  return tag.startsWith('entity:') || tag.startsWith('entity-hash:');
}
