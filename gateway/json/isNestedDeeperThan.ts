/** Whether lists and objects stand within each other more than `levels` deep. Recursion ends at `levels`. */
export function isNestedDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const members = Array.isArray(value) ? value : Object.values(value);
  return members.some((member) => isNestedDeeperThan(member, levels - 1));
}
