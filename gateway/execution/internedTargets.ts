import { generateFunction, isPlainName } from '../json/generateFunction.ts';
import { type FlattenPath, isPlainPath } from './flattenPath.ts';
import { pathText } from './providersByPath.ts';
import type { ResponseObject } from './responseTree.ts';

/** The bytes of an object in the response that is being written. Belongs to the writer. */
interface WrittenBytes {
  readonly writer: unknown;
  readonly writing: number;
  readonly start: number;
  readonly end: number;
}

/** The objects that occur at several paths of the response tree, each with the bytes that it was last written as. */
export type SharedObjects = Map<ResponseObject, WrittenBytes | null>;

/** Returns the objects at a flatten path, in document order, and makes equal objects of one path the same object of the
 *  response tree. An object that occurs several times is returned once. */
export type InterningCollector = (root: ResponseObject, shared: SharedObjects) => ResponseObject[];

/** Response names of the fields that fetches bring, by the path of their object (`pathText`). */
export type FieldsByPath = ReadonlyMap<string, readonly string[]>;

/** Generates a collector that interns ("hash consing"): of equal objects on the path, the response tree keeps the first one.
 *  A list of reviews with a few authors then has a few author objects, which are fetched for, merged into and written
 *  once each.
 *
 *  Objects are equal if all fields that any fetch of the program can bring are: scalars with equal values, objects and
 *  lists that are the same object. The objects on the path are interned from the inside out, and lists on the path are
 *  compared by their elements.
 *
 *  Returns `undefined` where nothing can be interned, or code generation is forbidden. */
export function createInterningCollector(
  path: FlattenPath,
  fields: FieldsByPath,
): InterningCollector | undefined {
  if (!isPlainPath(path) || !path.some(({ kind }) => kind === 'list')) return undefined;
  const generator = new CollectorGenerator(path, fields);
  const code = generator.valueCode(0, 'root', undefined);
  const body = `const targets = [];\n${generator.declarations}\n${code}\nreturn targets;`;
  return generateFunction<InterningCollector>('internTargets', ['root', 'shared'], body, {
    hasSameElements,
    positionsOf,
    maxComparedKeys,
    initialMisses,
    missesPerHit,
  });
}

/** Names in the generated code, each with the depth of its segment: `v` an object or list, `i` an index, `f` the first object at the
 *  path. The objects that others are compared with: `k` the values of their first field, `o` the objects, `s` whether they are
 *  in `shared`, `m` positions in these lists by the value, once they are many. `n`: how many more objects without an equal one are
 *  remembered. */
class CollectorGenerator {
  declarations = '';
  readonly #path: FlattenPath;
  readonly #fields: FieldsByPath;

  constructor(path: FlattenPath, fields: FieldsByPath) {
    this.#path = path;
    this.#fields = fields;
  }

  /** Returns statements for `value`, which is an object or a list. `replace` is the left side of an assignment to its place in
   *  the tree. */
  valueCode(depth: number, value: string, replace: string | undefined): string {
    const segment = this.#path[depth];
    if (segment === undefined)
      return `if (!Array.isArray(${value})) {\n${this.#internCode(depth, value, replace, `targets.push(${value});`)}\n}`;
    const next = `v${depth}`;
    if (segment.kind === 'list') {
      const index = `i${depth}`;
      const element = `${value}[${index}]`;
      return `if (Array.isArray(${value})) {
for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {
const ${next} = ${element};
if (typeof ${next} === 'object' && ${next} !== null) {
${this.valueCode(depth + 1, next, element)}
}
}
}`;
    }
    const child = `${value}.${segment.name}`;
    return `if (!Array.isArray(${value})) {
const ${next} = ${child};
if (typeof ${next} === 'object' && ${next} !== null) {
${this.valueCode(depth + 1, next, child)}
}
${this.#internCode(depth, value, replace, '')}
}`;
  }

  /** `onNew`: statements for an object that equals no earlier one. */
  #internCode(depth: number, value: string, replace: string | undefined, onNew: string): string {
    const names = this.#fields.get(pathText(this.#path.slice(0, depth))) ?? [];
    const isInList = this.#path.slice(0, depth).some(({ kind }) => kind === 'list');
    const [lookup, ...others] = names.filter((name) => name !== '__typename');
    if (replace === undefined || !isInList || lookup === undefined || !names.every(isPlainName)) return onNew;
    const [first, keys, objects, marks, byKey, misses] = [...'fkosmn'].map((letter) => `${letter}${depth}`);
    this.declarations += `let ${first}, ${keys}, ${objects}, ${marks}, ${byKey}, ${misses} = initialMisses;\n`;
    const compared = names.includes('__typename') ? ['__typename', ...others] : others;
    const same = compared.map((name) => this.#isSameCode(depth, name, value));
    return `if (${first} === undefined) {
${first} = ${value};
${onNew}
} else if (${misses} < 0) {
${onNew}
} else if (${first} !== ${value}) {
if (${keys} === undefined) {
${keys} = [${first}.${lookup}];
${objects} = [${first}];
${marks} = [false];
}
const key = ${value}.${lookup};
let at = 0;
if (${byKey} === undefined) {
while (at < ${keys}.length && ${keys}[at] !== key) at++;
} else {
at = ${byKey}.get(key) ?? ${keys}.length;
}
if (at === ${keys}.length) {
${keys}.push(key);
${objects}.push(${value});
${marks}.push(false);
if (${byKey} !== undefined) ${byKey}.set(key, at);
else if (at === maxComparedKeys) ${byKey} = positionsOf(${keys});
${misses}--;
${onNew}
} else if (${objects}[at] !== ${value}) {
const other = ${objects}[at];
if (${same.length === 0 ? 'true' : same.join(' && ')}) {
${replace} = other;
${misses} += missesPerHit;
if (!${marks}[at]) {
${marks}[at] = true;
if (!shared.has(other)) shared.set(other, null);
}
} else {
${onNew}
}
}
}`;
  }

  #isSameCode(depth: number, name: string, value: string): string {
    const isSame = `other.${name} === ${value}.${name}`;
    const [segment, next] = this.#path.slice(depth);
    const isList = segment?.kind === 'key' && segment.name === name && next?.kind === 'list';
    return isList ? `(${isSame} || hasSameElements(other.${name}, ${value}.${name}))` : isSame;
  }
}

function hasSameElements(first: unknown, second: unknown): boolean {
  if (!Array.isArray(first) || !Array.isArray(second) || first.length !== second.length) return false;
  for (let i = 0; i < first.length; i++) if (first[i] !== second[i]) return false;
  return true;
}

function positionsOf(keys: readonly unknown[]): Map<unknown, number> {
  return new Map(keys.map((key, position) => [key, position]));
}

/** Comparing a value with a few others is cheaper than its hash. */
const maxComparedKeys = 16;
/** Interning ends at a path where after so many objects none had an equal one. */
const initialMisses = 32;
/** So many more objects for each one that had. */
const missesPerHit = 4;
