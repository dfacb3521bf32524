/** Fields that a subgraph omitted. The gateway treats them as null, without an error. */
export interface OmittedFields {
  /** Response names of missing fields. */
  readonly names: Set<string>;
  /** A field is missing that other fetches require or that determines the type: everything below may be null. */
  hasMissingInput: boolean;
}

/** Without one of these, an entity is not fetched from other subgraphs. */
const inputs: ReadonlySet<string> = new Set(['__typename', 'id', 'name', 'age']);

/** Adds the fields of the correct response that the broken one lacks. */
export function collectOmittedFields(right: string, broken: string, into: OmittedFields): void {
  compare(JSON.parse(right), JSON.parse(broken));

  function compare(wanted: unknown, found: unknown): void {
    if (typeof found !== 'object' || found === null) return;
    if (Array.isArray(found)) {
      if (!Array.isArray(wanted)) return;
      for (const [index, element] of found.entries()) compare(wanted[index], element);
      return;
    }
    if (typeof wanted !== 'object' || wanted === null) {
      into.hasMissingInput = true;
      return;
    }
    if (Array.isArray(wanted)) return;
    for (const [key, value] of Object.entries(wanted)) {
      const given = Object.hasOwn(found, key) ? (found as Record<string, unknown>)[key] : undefined;
      if (inputs.has(key) && (given === undefined || (given !== value && key !== 'name' && key !== 'age'))) {
        into.hasMissingInput = true;
      }
      if (given === undefined) into.names.add(clientName(key));
      else compare(value, given);
    }
  }
}

/** The client's response name, with which internal names end. */
export function clientName(key: string): string {
  return key.replace(/^_alias_\d+_[A-Za-z]+_/, '');
}
