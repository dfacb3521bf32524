import type { Finding } from '../../../contracts/finding.ts';
import { CommandError, exitCode } from '../exitCode.ts';

/** Why a command stops, with every problem in a line of its own. `undecided` where all that is wrong is that somebody
 *  does not answer. */
export function describeProblems(outcome: string, problems: readonly Finding[]): CommandError {
  const isUndecided = problems.every(({ severity }) => severity === 'undecided');
  const lines = problems.map(({ message, advice, location }) => {
    const where = location === undefined ? '' : `${location.file}:${location.line}:${location.column} `;
    return `  ${where}${message} ${advice ?? ''}`.trimEnd();
  });
  const code = isUndecided ? exitCode.undecided : exitCode.usageError;
  return new CommandError(code, `${outcome}:\n${lines.join('\n')}`);
}
