import type { GraphQLFormattedError } from 'graphql';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };
export type Path = readonly (string | number)[];

/** The complete response of a client, in one form for all formats. */
export interface Answer {
  readonly data: Json | undefined;
  readonly errors: readonly GraphQLFormattedError[];
  /** Of a monolith: messages of errors that a gateway may have in addition, from fields that it fetches without the
   *  client's selection. */
  readonly toleratedMessages?: ReadonlySet<string>;
}

/** Parses JSON and renames `__proto__` and `constructor` to names that no operation can have. GraphQL and JSON treat
 *  them like any other name, but merging and comparing objects does not. */
export function readJson(text: string): unknown {
  return JSON.parse(escapeInheritedNames(text));
}

export function escapeInheritedNames(text: string): string {
  return text.replace(inheritedNames, '"($1)"');
}

/** The response name as it is in the result of `readJson`. */
export function escapeInheritedName(name: string): string {
  return name in Object.prototype ? `(${name})` : name;
}

const inheritedNames = new RegExp(`"(${Object.getOwnPropertyNames(Object.prototype).join('|')})"`, 'g');

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
