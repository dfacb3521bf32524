/** One problem in a configuration. */
export interface ConfigProblem {
  /** Path of the option, such as `subgraphs.reviews.timeouts.attempt`. Empty for the configuration as a whole. */
  readonly path: string;
  /** The problem, as a predicate of which the path is the subject. */
  readonly message: string;
  /** A description of valid values. Empty if the message is sufficient. */
  readonly expected: string;
  /** Where the configuration file has the option or its section, such as `tributary.yaml:12:5`. */
  readonly location?: string | undefined;
}

/** An invalid configuration, with all its problems. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  /** `message`: replaces the list of the problems. */
  constructor(problems: readonly ConfigProblem[], message?: string) {
    super(message ?? `The configuration is invalid:\n${problems.map(describeProblem).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Adds the problems to `problems` if `reading` rejects with a `ConfigError`. Then the result is not one: the caller throws
 *  the problems before it uses the result. */
export async function collectProblems<Result>(
  problems: ConfigProblem[],
  reading: Promise<Result>,
): Promise<Result> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return undefined as Result;
  }
}

function describeProblem({ path, message, expected, location }: ConfigProblem): string {
  const subject = path === '' ? 'it' : path;
  const expectation = expected === '' ? '' : `; expected: ${expected}`;
  return `  ${subject} ${message}${expectation}${location === undefined ? '' : ` (${location})`}`;
}

/** Formats `['supergraph', 'subgraphs', 0, 'my name']` as `supergraph.subgraphs[0]["my name"]`. */
export function formatConfigPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}
