import { canonicalText } from '../../gateway/cache/tags/keyText.ts';
import { entityTagOf } from '../../gateway/cache/tags/tagNames.ts';

/** The tag of an entity by the fields of one of its keys. ID 1 and "1" have the same tag. */
export function entityTag(typeName: string, keyFields: Readonly<Record<string, unknown>>): string {
  return entityTagOf(typeName, canonicalText(keyFields));
}
