/** The fields of a hash by their names, from what Redis answers to `HGETALL`. */
export function readRedisFields(reply: unknown): ReadonlyMap<string, string> {
  if (typeof reply !== 'object' || reply === null) return new Map();
  // An object, or names and values by turns: by the version of the protocol.
  if (!Array.isArray(reply))
    return new Map(Object.entries(reply).map(([name, value]) => [name, String(value)]));
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < reply.length; index += 2) {
    fields.set(String(reply[index]), String(reply[index + 1]));
  }
  return fields;
}
