import { type Document, isScalar, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import { describeReadError } from '../files/describeReadError.ts';
import { readTextFileSync } from '../files/readTextFile.ts';
import { ConfigError, type ConfigProblem } from './configError.ts';
import { locateOptions } from './locateOptions.ts';

/** A configuration file, without its variables. */
export interface ConfigDocument {
  readonly document: unknown;
  /** The file and the line of an option or its section, such as `tributary.yaml:12:5`. */
  locate(path: string): string | undefined;
}

/** Reads a YAML file.
 *  @throws {ConfigError} when it cannot be read, or is not YAML that a configuration can have. */
export function readConfigDocument(path: string): ConfigDocument {
  const text = readText(path);
  const lineCounter = new LineCounter();
  // Merge keys (`<<`) are of YAML 1.1, and known from Docker Compose.
  const document = parseDocument(text, { lineCounter, prettyErrors: false, merge: true });
  const problems = yamlProblems(document, text, lineCounter);
  if (problems.length === 0) problems.push(...aliasProblems(document, lineCounter));
  if (problems.length > 0) {
    throw new ConfigError(
      problems.map(({ position, ...problem }) => ({ path: `${path}:${position}`, ...problem })),
    );
  }
  let positionOf: ReturnType<typeof locateOptions> | undefined;
  return {
    document: toPlainValue(document, path),
    locate: (option) => {
      positionOf ??= locateOptions(document, lineCounter);
      const position = positionOf(option);
      return position === undefined ? path : `${path}:${position}`;
    },
  };
}

function readText(path: string): string {
  try {
    return readTextFileSync(path);
  } catch (cause) {
    const message = describeReadError(cause);
    throw new ConfigError([{ path, message, expected: 'a YAML file' }], `${path} ${message}.`);
  }
}

interface YamlProblem extends Omit<ConfigProblem, 'path'> {
  /** `line:column` */
  readonly position: string;
}

function yamlProblems(document: Document.Parsed, text: string, lines: LineCounter): YamlProblem[] {
  const isVariable = ({ pos: [offset] }: YAMLError) => text.startsWith('${', offset - 1);
  const variables = document.errors.filter(isVariable);
  // Each of them has further errors as a consequence.
  const errors = variables.length > 0 ? variables : document.errors;
  const positionOf = ({ pos: [offset] }: YAMLError) => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const problems = errors.slice(0, maxYamlProblems).map((error) => ({
    position: positionOf(error),
    ...describeYamlError(error, document, lines, isVariable(error)),
  }));
  const next = errors[maxYamlProblems];
  if (next === undefined) return problems;
  const message = `is the first of ${errors.length - maxYamlProblems} more places that are not valid YAML`;
  return [...problems, { position: positionOf(next), message, expected: '' }];
}

/** Another kind of file may have a problem in each of its lines. */
const maxYamlProblems = 10;

function describeYamlError(
  { code, message, pos: [offset] }: YAMLError,
  document: Document.Parsed,
  lines: LineCounter,
  isVariable: boolean,
): Omit<ConfigProblem, 'path'> {
  if (isVariable) {
    return {
      message: 'has a variable without quotes inside { … } or [ … ]',
      expected: `it in quotes, such as '\${NAME}'`,
    };
  }
  if (code === 'MULTIPLE_DOCS') return { message: 'begins a second document (`---`)', expected: 'only one' };
  const first = code === 'DUPLICATE_KEY' ? findFirstOfKey(document, offset) : undefined;
  if (first === undefined) return { message: `is not valid YAML: ${message}`, expected: '' };
  return {
    message: `repeats the key \`${first.key}\` of line ${lines.linePos(first.offset).line}`,
    expected: 'each key once in a section',
  };
}

/** The first occurrence of the key that its map repeats at this offset. */
function findFirstOfKey(document: Document.Parsed, offset: number) {
  let first: { readonly key: unknown; readonly offset: number } | undefined;
  visit(document, {
    Map(_, { items }) {
      const keys = items.flatMap(({ key }) =>
        isScalar(key) && key.range != null ? [{ key: key.value, offset: key.range[0] }] : [],
      );
      const repeated = keys.find((key) => key.offset === offset);
      first ??= repeated && keys.find(({ key }) => key === repeated.key);
    },
  });
  return first;
}

// No message has the name of an alias, which may be a password without quotes.
function aliasProblems(document: Document.Parsed, lines: LineCounter): YamlProblem[] {
  const problems: YamlProblem[] = [];
  visit(document, {
    Alias(_, alias, parents) {
      const target = alias.resolve(document);
      if (target !== undefined && !parents.includes(target)) return;
      const { line, col } = lines.linePos(alias.range?.[0] ?? 0);
      problems.push({
        position: `${line}:${col}`,
        ...(target === undefined
          ? {
              message: 'has an alias (text that begins with `*`) without its anchor (`&`)',
              expected: 'texts that begin with * in quotes',
            }
          : { message: 'has an alias (`*`) inside of what it stands for (`&`)', expected: 'no such alias' }),
      });
    },
  });
  return problems;
}

function toPlainValue(document: Document.Parsed, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch {
    const message =
      'has more than 100 aliases (`*`), or a merge key (`<<`) with something else than a section';
    throw new ConfigError([{ path, message, expected: '' }]);
  }
}
