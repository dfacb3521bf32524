import { hash } from 'node:crypto';
import { canonicalText } from './keyText.ts';

// Texts of tags. Different things have different tags, whatever their names hold: each kind has a beginning of its
// own, and JSON quotes and escapes the rest, NUL and halves of characters included.

/** Of everything that a subgraph has answered. */
export function subgraphTag(name: string): string {
  return `subgraph:${escapeName(name)}`;
}

/** Of everything that holds an object of an object type, or may hold one. */
export function typeTag(typeName: string): string {
  return `type:${escapeName(typeName)}`;
}

/** Of everything that holds this entity. `keyFields` are those of one key; ID 1 and "1" are the same. */
export function entityTag(typeName: string, keyFields: Readonly<Record<string, unknown>>): string {
  return entityTagOf(typeName, canonicalText(keyFields));
}

/** The same for key fields as canonical text. */
export function entityTagOf(typeName: string, keyText: string): string {
  // Some put whole documents into keys.
  if (keyText.length > maxKeyLength) {
    return `entity-hash:${JSON.stringify([typeName, hash('sha256', keyText, 'base64url')])}`;
  }
  return `entity:[${JSON.stringify(typeName)},${keyText}]`;
}

const maxKeyLength = 512;

/** Of everything that holds an entity of a type, of which nothing but these keys is known, and mostly none: nobody
 *  can say by another key which one it is. Keys are texts as in `EntityKey`. */
export function unknownEntityTag(typeName: string, knownKeys: readonly string[] = []): string {
  return `unknown-entity:${JSON.stringify([typeName, ...[...knownKeys].sort()])}`;
}

/** A tag of a rule or of `extensions.cacheTags`. */
export function customTag(text: string): string {
  return `tag:${escapeName(text)}`;
}

function escapeName(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
