/** How deep a value may nest that the gateway passes on without a schema, such as `extensions`: JSON.stringify recurses, and
 *  throws for some thousand levels. */
export const maxUncheckedDepth = 100;

/** Whether lists and objects are nested more than `levels` deep. Recurses at most `levels` deep. */
export function isNestedDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const member of value) if (isNestedDeeperThan(member, levels - 1)) return true;
    return false;
  }
  // `Object.values` takes twice as long for very many members.
  for (const name in value) {
    if (isNestedDeeperThan((value as Record<string, unknown>)[name], levels - 1)) return true;
  }
  return false;
}
