import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';

export interface YamlFile {
  /** `null` for an empty file. */
  readonly root: Node | null;
  locationOf(node: Node): FileLocation;
  /** The location of a path of keys and indexes, or of its nearest existing ancestor. */
  locationAtPath(path: readonly (string | number)[]): FileLocation;
  /** The whole file as plain values. */
  toJS(): unknown;
  /** The entries of a map with resolved aliases; a missing value is `null`. */
  entriesOf(map: YAMLMap): readonly YamlEntry[];
  /** Resolves an alias; returns other nodes unchanged. */
  resolve(node: unknown): Node | null;
}

interface YamlEntry {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: Node | null;
}

/** Parses a YAML file and keeps the location of every node. */
export function readYaml(
  text: string,
  file: string,
  rule: 'waivers-unreadable' | 'environments-unreadable' | 'gateway-config-unreadable',
): { readonly yaml: YamlFile } | { readonly problems: readonly Finding[] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const locationAt = (offset: number): FileLocation => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map((error) =>
        createFinding(rule, {
          message: `This is not valid YAML: ${error.message}`,
          location: locationAt(error.pos[0]),
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
      locationOf: (node) => locationAt(node.range?.[0] ?? 0),
      locationAtPath: (path) => locationAt(offsetOf(resolve(document.contents), path, resolve)),
      toJS: () => document.toJS({ maxAliasCount: 100 }),
      entriesOf: (map) =>
        map.items.flatMap(({ key, value }) =>
          isScalar(key) ? [{ key: String(key.value), keyNode: key, value: resolve(value) }] : [],
        ),
      resolve,
    },
  };
}

/** Offset of the key or element at a path. */
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

/** The trimmed text of a node; `undefined` if it is not text, or is blank. */
export function nonBlankTextOf(node: Node | null): string | undefined {
  if (!isScalar(node) || typeof node.value !== 'string' || node.value.trim() === '') return undefined;
  return node.value.trim();
}

/** Whether there is no node, or an empty value. */
export function isEmptyNode(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}
