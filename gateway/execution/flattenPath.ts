import { generateFunction, isPlainName } from '../json/generateFunction.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import type { ResponseObject } from './responseTree.ts';

/** A compiled flatten path. */
export type FlattenPath = readonly FlattenSegment[];

type FlattenSegment =
  | { readonly kind: 'list' }
  | { readonly kind: 'key'; readonly name: string; readonly types: ReadonlySet<string> | undefined };

/** The path of an input of a fetch. */
export interface InputPath {
  /** Response names without list markers, joined by dots. */
  readonly path: string;
  /** For each of its names: the type conditions of the object that has the field of this name. */
  readonly conditions: readonly (readonly string[])[];
}

/** Parses a path of a plan: response names, `@` for the elements of a list, and `name|[A,B]` for objects of these types. */
export function parseFlattenPath(path: readonly (string | number)[]): FlattenPath {
  return path.map((part): FlattenSegment => {
    const text = String(part);
    const bar = text.indexOf('|[');
    const name = bar === -1 ? text : text.slice(0, bar);
    const types =
      bar === -1
        ? undefined
        : new Set(
            text
              .slice(bar + 2, -1)
              .split(',')
              .map((type) => type.trim()),
          );
    return name === '@' ? { kind: 'list' } : { kind: 'key', name, types };
  });
}

/** Returns the objects at a flatten path, in document order. `@` stands for all elements of a list. Nulls on the way are
 *  skipped: without a parent there is nothing to fetch. */
export type TargetCollector = (root: ResponseObject) => ResponseObject[];

/** Equal for equal paths. That of a path below another one begins with the key of that and a dot. */
export function pathKeyOf(path: FlattenPath): string {
  return path
    .map((segment) => {
      if (segment.kind === 'list') return '@';
      return segment.types === undefined ? segment.name : `${segment.name}|${[...segment.types].join()}`;
    })
    .join('.');
}

/** Generates `collectTargets` for one path, when it is first used. */
export function createTargetCollector(path: FlattenPath): TargetCollector {
  let collect: TargetCollector | undefined;
  return (root) => {
    collect ??= generateCollector(path);
    return collect(root);
  };
}

function generateCollector(path: FlattenPath): TargetCollector {
  const generic: TargetCollector = (root) => collectTargets(root, path);
  if (!isPlainPath(path)) return generic;
  const body = `const targets = [];\n${generateCollectorCode(path, 0, 'root')}\nreturn targets;`;
  return generateFunction<TargetCollector>('collectTargets', ['root'], body, {}) ?? generic;
}

/** Whether generated code may contain the path: it has no type conditions, and only plain names. */
export function isPlainPath(path: FlattenPath): boolean {
  return path.every(
    (segment) => segment.kind === 'list' || (segment.types === undefined && isPlainName(segment.name)),
  );
}

/** Returns statements that collect below `value`, which is an object or a list. */
function generateCollectorCode(path: FlattenPath, depth: number, value: string): string {
  const segment = path[depth];
  if (segment === undefined) return `if (!Array.isArray(${value})) targets.push(${value});`;
  const next = `v${depth}`;
  const inner = `if (typeof ${next} === 'object' && ${next} !== null) {\n${generateCollectorCode(path, depth + 1, next)}\n}`;
  if (segment.kind === 'key') {
    return `if (!Array.isArray(${value})) {\nconst ${next} = ${value}.${segment.name};\n${inner}\n}`;
  }
  const index = `i${depth}`;
  return `if (Array.isArray(${value})) {
for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {
const ${next} = ${value}[${index}];
${inner}
}
}`;
}

/** Collects without generated code, for a path that is used once. */
export function collectTargets(root: ResponseObject, path: FlattenPath): ResponseObject[] {
  const targets: ResponseObject[] = [];
  visitTargets(root, path, 0, targets);
  return targets;
}

/** Lists are only followed where the path has `@`: a subgraph may return lists nested to any depth where none belongs. */
function visitTargets(value: unknown, path: FlattenPath, depth: number, targets: ResponseObject[]): void {
  if (typeof value !== 'object' || value === null) return;
  const segment = path[depth];
  if (Array.isArray(value) !== (segment?.kind === 'list')) return;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) visitTargets(value[i], path, depth + 1, targets);
  } else if (segment === undefined) {
    targets.push(value as ResponseObject);
  } else if (segment.kind === 'key') {
    const child = (value as ResponseObject)[segment.name];
    if (segment.types !== undefined && !isOfType(child, segment.types)) return;
    visitTargets(child, path, depth + 1, targets);
  }
}

function isOfType(value: unknown, types: ReadonlySet<string>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const name = (value as ResponseObject).__typename;
  return typeof name !== 'string' || types.has(name);
}

/** Collects all paths of each target. Equal entities share one object, which then has several paths. Only diagnostics need
 *  the paths, so `collectTargets` does not record them. */
export function* collectTargetPaths(
  root: ResponseObject,
  path: FlattenPath,
): SlicedTask<Map<object, (readonly (string | number)[])[]>> {
  const paths = new Map<object, (readonly (string | number)[])[]>();
  let untilPause = pathsPerSlice;
  yield* visit(root, 0, []);
  return paths;

  function* visit(value: unknown, depth: number, at: readonly (string | number)[]): SlicedTask {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      const next = path[depth]?.kind === 'list' ? depth + 1 : depth;
      for (let i = 0; i < value.length; i++) yield* visit(value[i], next, [...at, i]);
      return;
    }
    const segment = path[depth];
    if (segment === undefined) {
      const known = paths.get(value);
      if (known === undefined) paths.set(value, [at]);
      else known.push(at);
      if (--untilPause > 0) return;
      untilPause = pathsPerSlice;
      yield;
      return;
    }
    if (segment.kind === 'list') yield* visit(value, depth + 1, at);
    else yield* visit((value as ResponseObject)[segment.name], depth + 1, [...at, segment.name]);
  }
}

/** Long lists pause after so many paths. */
const pathsPerSlice = 500;

/** The part of a path before its first list, which has exactly one target. */
export function prefixBeforeLists(path: FlattenPath): string[] {
  const names: string[] = [];
  for (const segment of path) {
    if (segment.kind === 'list') break;
    names.push(segment.name);
  }
  return names;
}
