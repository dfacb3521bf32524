import type { GraphQLFormattedError } from 'graphql';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };
export type Path = readonly (string | number)[];

/** What a client has in the end, whatever it came in. */
export interface Answer {
  readonly data: Json | undefined;
  readonly errors: readonly GraphQLFormattedError[];
  /** Of a monolith: messages that a gateway may have besides, for what it asks without the client's asking. */
  readonly toleratedMessages?: ReadonlySet<string>;
}

/** `__proto__` and `constructor` are names like any other in GraphQL and in JSON, but not in merging and comparing
 *  objects by the usual means: these tests read them as names that no operation can have. */
export function readJson(text: string): unknown {
  return JSON.parse(escapeInheritedNames(text));
}

export function escapeInheritedNames(text: string): string {
  return text.replace(inheritedNames, '"($1)"');
}

/** A response name as it is in what `readJson` gives. */
export function escapeInheritedName(name: string): string {
  return name in Object.prototype ? `(${name})` : name;
}

const inheritedNames = new RegExp(`"(${Object.getOwnPropertyNames(Object.prototype).join('|')})"`, 'g');

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
