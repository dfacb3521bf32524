interface MapLike<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): unknown;
}

/** `Map.prototype.getOrInsertComputed`, which Node has from version 26 on, for maps of any kind without undefined values. Code
 *  that runs for each request does it by hand, without a function object for `create`. */
export function getOrInsertComputed<Key, Value>(
  map: MapLike<Key, Value>,
  key: Key,
  create: (key: Key) => Value,
): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create(key);
  map.set(key, created);
  return created;
}
