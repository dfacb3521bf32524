/** One thing that is wrong in a configuration. */
export interface ConfigProblem {
  /** Where: `subgraphs.reviews.timeouts.attempt`; empty for the configuration as a whole. */
  readonly path: string;
  /** What is wrong, as the end of a sentence that begins with the path. */
  readonly message: string;
  /** What would be right; empty where the message says it all. */
  readonly expected: string;
}

/** A configuration that cannot be used, with everything that is wrong in it. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(`The configuration cannot be used:\n${problems.map(describeProblem).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

function describeProblem({ path, message, expected }: ConfigProblem): string {
  const subject = path === '' ? 'it' : path;
  return `  ${subject} ${message}${expected === '' ? '' : `; expected: ${expected}`}`;
}

/** `['supergraph', 'subgraphs', 0, 'my name']` as `supergraph.subgraphs[0]["my name"]`. */
export function formatConfigPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}
