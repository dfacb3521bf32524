import { resolve } from 'node:path';
import { describeReadError } from '../files/describeReadError.ts';
import { readTextFileSync } from '../files/readTextFile.ts';
import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { suggestName } from './findNearestName.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the references in a configuration stand for. */
export interface ReferenceValues {
  readonly environment: Environment;
  /** The text of a file. @throws {NodeJS.ErrnoException} when it cannot be read, or is not UTF-8. */
  readonly readFile: (path: string) => string;
}

/** The values for a configuration file in this directory, from which relative paths start. */
export function referenceValues(environment: Environment, directory: string): ReferenceValues {
  return { environment, readFile: (path) => readTextFileSync(resolve(directory, path)) };
}

interface Expansion {
  readonly values: ReferenceValues;
  readonly problems: ConfigProblem[];
  readonly textsFromFiles: Set<string>;
}

/** Replaces `${NAME}` by an environment variable and `${file:PATH}` by the text of a file, in every string of a parsed
 *  document. The default of `${NAME:-default}` or `${file:PATH:-default}` also replaces an empty value. A reference without
 *  a value and a default is reported with the path of its string, and is not changed. `textsFromFiles`: the paths of the
 *  strings that have the text of a file, which may be secret. */
export function expandReferences(document: unknown, values: ReferenceValues) {
  const problems: ConfigProblem[] = [];
  const textsFromFiles = new Set<string>();
  const expanded = expandValue(document, [], { values, problems, textsFromFiles });
  return { expanded, problems, textsFromFiles };
}

function expandValue(value: unknown, path: readonly PropertyKey[], expansion: Expansion): unknown {
  if (typeof value === 'string') return expandText(value, formatConfigPath(path), expansion);
  if (Array.isArray(value)) return value.map((item, index) => expandValue(item, [...path, index], expansion));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, expandValue(child, [...path, key], expansion)]),
  );
}

function expandText(text: string, path: string, { values, problems, textsFromFiles }: Expansion): string {
  return text.replace(/\$\{([^}]*)\}/g, (reference: string, inside: string) => {
    // The match ends at the first closing brace: the one of the outer reference would remain in the text.
    if (inside.includes('${')) {
      problems.push({ path, ...nestedReference });
      return reference;
    }
    const [, file, variable, fallback] = /^(?:file:(.+?)|([A-Za-z_]\w*))(?::-(.*))?$/s.exec(inside) ?? [];
    const result = file !== undefined ? readFileValue(file, values) : readVariable(variable, values);
    if (fallback !== undefined && (result.value === undefined || result.value === '')) return fallback;
    if (result.value === undefined) {
      problems.push({ path, message: result.message, expected: result.expected });
      return reference;
    }
    if (file !== undefined) textsFromFiles.add(path);
    return result.value;
  });
}

// Not quoted: the default may be a part of a password.
const nestedReference = {
  message: 'has a variable or a file inside of another one',
  expected: 'variables and files beside each other, each with a default without $ and braces',
};

type ReferenceResult =
  | { readonly value: string }
  | { readonly value?: undefined; readonly message: string; readonly expected: string };

function readVariable(name: string | undefined, { environment }: ReferenceValues): ReferenceResult {
  if (name === undefined) {
    return {
      // Not quoted: it may be a part of a password.
      message: 'has $ and braces with something else in them than an environment variable or a file',
      expected: 'a name of letters, digits and _, as in `$NAME` with braces, or `file:` and a path',
    };
  }
  const value = environment[name];
  if (value !== undefined) return { value };
  const suggestion = suggestName(name, Object.keys(environment));
  return {
    message: `needs the environment variable ${name}, which is not set${suggestion}`,
    expected: suggestion === '' ? `a value, or a default as in \${${name}:-default}` : '',
  };
}

/** The text of a file without the line break at its end, which editors and `echo` add. */
function readFileValue(path: string, { readFile }: ReferenceValues): ReferenceResult {
  try {
    return { value: readFile(path).replace(/\r?\n$/, '') };
  } catch (cause) {
    return {
      message: `needs the file ${path}, which ${describeReadError(cause)}`,
      expected: `a file with the value, or a default as in \${file:${path}:-default}`,
    };
  }
}
