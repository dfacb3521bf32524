import type { CacheDescription } from './store/cacheStore.ts';
import { type NamedTag, parseTag } from './tags/namedTag.ts';

/** What is stored under one key, for people. */
export interface CacheEntryView {
  readonly key: string;
  readonly from: 'memory' | 'redis';
  readonly subgraphs: readonly string[];
  readonly types: readonly string[];
  /** Of rules and of subgraphs' answers. */
  readonly tags: readonly string[];
  /** ISO 8601. */
  readonly storedAt: string;
  readonly ageMs: number;
  /** From now on, like the two that follow; 0 where it is over. */
  readonly freshForMs: number;
  readonly staleWhileRevalidateForMs: number;
  readonly staleIfErrorForMs: number;
  readonly bytes: number;
  /** As the subgraph sent it; the text itself where it is no JSON. */
  readonly value: unknown;
}

/** `now`: milliseconds since 1970. */
export function describeEntry(
  key: string,
  { entry, from, bytes }: CacheDescription,
  now: number,
): CacheEntryView {
  const read = entry.tags.flatMap((tag) => parseTag(tag) ?? []);
  const namesOf = (kind: NamedTag['kind']) => read.filter((tag) => tag.kind === kind).map(({ name }) => name);
  const remaining = (until: number) => Math.max(0, until - now);
  return {
    key,
    from,
    subgraphs: namesOf('subgraph'),
    types: namesOf('type'),
    tags: namesOf('own'),
    storedAt: new Date(entry.storedAt).toISOString(),
    ageMs: Math.max(0, now - entry.storedAt),
    freshForMs: remaining(entry.freshUntil),
    staleWhileRevalidateForMs: remaining(entry.staleWhileRevalidateUntil),
    staleIfErrorForMs: remaining(entry.staleIfErrorUntil),
    bytes,
    value: parseValue(entry.value),
  };
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
