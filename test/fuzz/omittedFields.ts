/** What a subgraph did not say. The gateway takes it for null, without an error. */
export interface OmittedFields {
  /** Response names of fields that are missing. */
  readonly names: Set<string>;
  /** Something is missing that other fetches need, or that tells the type: anything below may be null. */
  hasMissingInput: boolean;
}

/** Without these, or with them unknown, an entity is not asked for what other subgraphs have of it. */
const inputs: ReadonlySet<string> = new Set(['__typename', 'id', 'name', 'age']);

/** Adds what a broken answer leaves out of the right one. */
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

/** The gateway's own names end with the client's. */
export function clientName(key: string): string {
  return key.replace(/^_alias_\d+_[A-Za-z]+_/, '');
}
