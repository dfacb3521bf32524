/** Whether a parsed JSON value has a number that is too large for a double. JSON.parse reads it as infinite, and JSON.stringify
 *  would write null. */
export function hasInfinity(value: unknown): boolean {
  const open = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === 'object' && next !== null)
      for (const member of Object.values(next)) open.push(member);
    else if (typeof next === 'number' && !Number.isFinite(next)) return true;
  }
  return false;
}
