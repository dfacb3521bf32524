/** What a tag says that is made of one name. */
export interface NamedTag {
  readonly kind: 'subgraph' | 'type' | 'own';
  readonly name: string;
}

const kindByPrefix: ReadonlyMap<string, NamedTag['kind']> = new Map([
  ['subgraph', 'subgraph'],
  ['type', 'type'],
  ['tag', 'own'],
]);

/** The other way round from `tagNames.ts`. `undefined` for tags of entities, and for what is no tag of ours. */
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

/** Whether it is of one entity, by one of its keys. */
export function isEntityTag(tag: string): boolean {
  return tag.startsWith('entity:') || tag.startsWith('entity-hash:');
}
