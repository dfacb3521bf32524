import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';

export interface YamlFile {
  /** `null` for an empty file. */
  readonly root: Node | null;
  locationOf(node: Node): FileLocation;
  /** The place of what is at a path of keys and indexes, or of the nearest that is there. */
  locationAtPath(path: readonly (string | number)[]): FileLocation;
  /** The whole file as plain values. */
  toJS(): unknown;
  /** The entries of a map, aliases resolved; a value that is left out is `null`. */
  entriesOf(map: YAMLMap): readonly YamlEntry[];
  /** What an alias stands for; other nodes as they are. */
  resolve(node: unknown): Node | null;
}

interface YamlEntry {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: Node | null;
}

/** Parses a YAML file so that everything in it has a place. */
export function readYaml(
  text: string,
  file: string,
  rule: 'waivers-unreadable' | 'environments-unreadable' | 'gateway-config-unreadable',
): { readonly yaml: YamlFile } | { readonly problems: readonly Finding[] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const placeAt = (offset: number): FileLocation => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map((error) =>
        createFinding(rule, {
          message: `This is not YAML: ${error.message}`,
          location: placeAt(error.pos[0]),
        }),
      ),
    };
  }
  const resolve = (node: unknown): Node | null => {
    if (isAlias(node)) return node.resolve(document) ?? null;
    return (node as Node | null | undefined) ?? null;
  };
  return {
    yaml: {
      root: resolve(document.contents),
      locationOf: (node) => placeAt(node.range?.[0] ?? 0),
      locationAtPath: (path) => placeAt(offsetOf(resolve(document.contents), path, resolve)),
      toJS: () => document.toJS({ maxAliasCount: 100 }),
      entriesOf: (map) =>
        map.items.flatMap(({ key, value }) =>
          isScalar(key) ? [{ key: String(key.value), keyNode: key, value: resolve(value) }] : [],
        ),
      resolve,
    },
  };
}

/** Where a key begins, or an element. */
function offsetOf(
  root: Node | null,
  path: readonly (string | number)[],
  resolve: (node: unknown) => Node | null,
): number {
  let node = root;
  let offset = root?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const entry = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (entry === undefined) return offset;
      offset = (entry.key as Node).range?.[0] ?? offset;
      node = resolve(entry.value);
    } else if (isSeq(node)) {
      node = resolve(node.items[Number(part)]);
      offset = node?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

/** Text that is more than white space; `undefined` for anything else. */
export function nonBlankTextOf(node: Node | null): string | undefined {
  if (!isScalar(node) || typeof node.value !== 'string' || node.value.trim() === '') return undefined;
  return node.value.trim();
}

/** Whether nothing is there: no node, or an empty value. */
export function isEmptyNode(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}
