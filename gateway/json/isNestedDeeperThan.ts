/** How deep a value may nest that the gateway passes on without a schema, such as `extensions`: JSON.stringify recurses, and
 *  throws for some thousand levels. */
export const maxUncheckedDepth = 100;

/** Whether lists and objects are nested more than `levels` deep. Recurses at most `levels` deep. */
export function isNestedDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const member of Array.isArray(value) ? value : Object.values(value)) {
    if (isNestedDeeperThan(member, levels - 1)) return true;
  }
  return false;
}
