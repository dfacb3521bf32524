import { type ConfigProblem, formatConfigPath } from './configError.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Replaces `${NAME}` and `${NAME:-default}` in every string of a parsed document. The default also replaces an empty
 *  variable. A variable without a value and a default is reported with the path of its string, and the string is not
 *  changed. */
export function expandEnvironment(document: unknown, environment: Environment) {
  const problems: ConfigProblem[] = [];
  return { expanded: expandValue(document, [], environment, problems), problems };
}

function expandValue(
  value: unknown,
  path: readonly PropertyKey[],
  environment: Environment,
  problems: ConfigProblem[],
): unknown {
  if (typeof value === 'string') return expandText(value, path, environment, problems);
  if (Array.isArray(value)) {
    return value.map((item, index) => expandValue(item, [...path, index], environment, problems));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [
      key,
      expandValue(child, [...path, key], environment, problems),
    ]),
  );
}

function expandText(
  text: string,
  path: readonly PropertyKey[],
  environment: Environment,
  problems: ConfigProblem[],
): string {
  return text.replace(/\$\{([^}]*)\}/g, (reference: string, inside: string) => {
    const match = /^([A-Za-z_]\w*)(?::-(.*))?$/s.exec(inside);
    const [name, fallback] = [match?.[1], match?.[2]];
    if (name === undefined) {
      problems.push({
        path: formatConfigPath(path),
        // Not quoted: it may be a part of a password.
        message: 'has $ and braces with something else in them than the name of an environment variable',
        expected: 'a name of letters, digits and _, as in `$NAME` with braces',
      });
      return reference;
    }
    const value = environment[name];
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
    if (value !== undefined) return value;
    problems.push({
      path: formatConfigPath(path),
      message: `needs the environment variable ${name}, which is not set`,
      expected: `a value, or a default as in \${${name}:-default}`,
    });
    return reference;
  });
}
