import type { Finding } from '../../contracts/finding.ts';
import { CommandError, exitCode } from '../exitCode.ts';

/** Why a command stops, with every problem in a line of its own. `undecided` where all that is wrong is that somebody
 *  does not answer. */
export function describeProblems(outcome: string, problems: readonly Finding[]): CommandError {
  const isUndecided = problems.every(({ severity }) => severity === 'undecided');
  const lines = problems.map(({ message, advice, place }) => {
    const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column} `;
    return `  ${where}${message} ${advice ?? ''}`.trimEnd();
  });
  const code = isUndecided ? exitCode.undecided : exitCode.wrongUsage;
  return new CommandError(code, `${outcome}:\n${lines.join('\n')}`);
}
