import type { GraphQLFormattedError } from 'graphql';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };
export type Path = readonly (string | number)[];

/** What a client has in the end, whatever it came in. */
export interface Answer {
  readonly data: Json | undefined;
  readonly errors: readonly GraphQLFormattedError[];
}

/** `__proto__` is a name like any other in GraphQL and in JSON, but not in comparing and merging objects by the
 *  usual means: tests read it under a name that no operation can have. */
export function readJson(text: string): unknown {
  return JSON.parse(readable(text));
}

export function readable(text: string): string {
  return text.replaceAll('"__proto__"', '"(proto)"');
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
