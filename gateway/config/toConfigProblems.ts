import type { z } from 'zod';
import { valueAt } from '../json/valueAt.ts';
import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { knownKeysAt, schemaAt } from './configJsonSchema.ts';
import { suggestName } from './findNearestName.ts';

/** Converts the issues of the schema to problems with messages for users. `input`: the checked configuration.
 *  `textsFromFiles`: paths whose values are not quoted. */
export function toConfigProblems(
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
  textsFromFiles: ReadonlySet<string> = new Set(),
): ConfigProblem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, input, textsFromFiles));
}

function problemsOfIssue(
  issue: z.core.$ZodIssue,
  input: unknown,
  textsFromFiles: ReadonlySet<string>,
): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeysAt(issue.path);
    const problems = issue.keys.map((key) => ({
      path: formatConfigPath([...issue.path, key]),
      message: `is not known${suggestName(key, known)}`,
      expected: '',
    }));
    // Once for all keys of the section: the file of another program may have many.
    const first = problems.find(({ message }) => message === 'is not known');
    if (first !== undefined) first.expected = `one of ${known.join(', ')}`;
    return problems;
  }
  if (issue.code === 'invalid_key') {
    return [
      {
        path: formatConfigPath(issue.path),
        message: 'is not a valid key',
        expected: issue.issues.map(({ message }) => message).join(', '),
      },
    ];
  }
  const path = formatConfigPath(issue.path);
  return [
    {
      path,
      message: problemOf(issue) ?? describeValue(valueAt(input, issue.path), issue, textsFromFiles.has(path)),
      expected: expectationOf(issue),
    },
  ];
}

/** The problem of a rule about several options, which no single value shows. */
function problemOf(issue: z.core.$ZodIssue): string | undefined {
  return issue.code === 'custom' ? issue.params?.problem : undefined;
}

function expectationOf(issue: z.core.$ZodIssue): string {
  const isGeneric = issue.code === 'invalid_type' && issue.message.startsWith('Invalid input');
  if (!isGeneric) return issue.message;
  if (issue.expected === 'array') return `a list${describeKeys(' of sections', [...issue.path, 0])}`;
  const isSection = issue.expected === 'object' || issue.expected === 'record';
  return isSection ? `a section${describeKeys('', issue.path) || ' with keys'}` : issue.expected;
}

/** Some of the keys of a section, after `subject`; empty if the section accepts any key. */
function describeKeys(subject: string, path: readonly PropertyKey[]): string {
  const known = knownKeysAt(path);
  return known.length === 0 ? '' : `${subject} with keys such as ${known.slice(0, 3).join(', ')}`;
}

/** Describes a value briefly. Does not quote what may be a secret or contain one: addresses with a password or a key, lines
 *  of headers, the content of a file instead of its path or by a reference, and texts in the place of a section, such as the
 *  secret itself in the place of `{ secret: … }`. */
function describeValue(value: unknown, { code, path }: z.core.$ZodIssue, isFromFile: boolean): string {
  if (value === undefined) return 'is missing';
  if (value === null) return 'is empty';
  if (Array.isArray(value)) return 'is a list';
  if (typeof value === 'object') return 'is a section';
  if (code !== 'custom') return 'is a single value';
  const text = JSON.stringify(value);
  const isSecret = isFromFile || schemaAt(path)?.title === 'secret';
  if (isSecret && typeof value !== 'string') return `is a ${typeof value} instead of a text`;
  if (isSecret && String(value).trim() === '') return 'is empty';
  const mayHaveSecret = isSecret || /[@?#]|: |-----BEGIN/.test(text);
  return mayHaveSecret || text.length > 60 ? 'is invalid' : `is ${text}`;
}
