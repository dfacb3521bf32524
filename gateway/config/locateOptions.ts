import { type Document, isMap, isScalar, isSeq, type LineCounter } from 'yaml';
import { formatConfigPath } from './configError.ts';

/** Creates a function that says where a document has an option, as `line:column` of its key or list item. Options that the
 *  document does not have are where their section is; `undefined` if it does not have that either. */
export function locateOptions(
  document: Document.Parsed,
  lines: LineCounter,
): (path: string) => string | undefined {
  const offsets = new Map<string, number>();
  collectOffsets(document.contents, [], offsets);
  return (path) => {
    let nearest = path;
    while (!offsets.has(nearest)) {
      const section = nearest.replace(lastPart, '');
      if (section === nearest) return undefined;
      nearest = section;
    }
    const { line, col } = lines.linePos(offsets.get(nearest) ?? 0);
    return `${line}:${col}`;
  };
}

/** The last part of a path that `formatConfigPath` wrote, if it has several. */
const lastPart = /(?:\.[\w-]+|\[(?:\d+|"(?:[^"\\]|\\.)*")\])$/;

function collectOffsets(node: unknown, path: readonly PropertyKey[], offsets: Map<string, number>): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const keyPath = [...path, String(key.value)];
      if (key.range != null) offsets.set(formatConfigPath(keyPath), key.range[0]);
      collectOffsets(value, keyPath, offsets);
    }
  }
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      const itemPath = [...path, index];
      const range = (item as { range?: readonly number[] | null }).range;
      if (range?.[0] !== undefined) offsets.set(formatConfigPath(itemPath), range[0]);
      collectOffsets(item, itemPath, offsets);
    }
  }
}
