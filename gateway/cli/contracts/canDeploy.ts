import { join } from 'node:path';
import { checkContracts } from '../../contracts/check.ts';
import { checkParts } from '../../contracts/checkParts.ts';
import { readDeployability } from '../../contracts/deployability.ts';
import { createReport } from '../../contracts/report/createReport.ts';
import { type ExitCode, exitCode } from '../exitCode.ts';
import { showProgress } from './progress.ts';
import { writeReport } from './reportOutputs.ts';
import { utcDay } from './utcDay.ts';

export interface ContractsCanDeployOptions {
  readonly directory: string;
  /** `NAME`: its contract. `NAME=FILE` or `NAME=URL`: a candidate. */
  readonly subgraph: string;
  readonly environment: string;
}

/** Says whether a subgraph can be deployed to an environment now, or why not and in which order. Resolves with the
 *  exit code. */
export async function contractsCanDeploy(options: ContractsCanDeployOptions): Promise<ExitCode> {
  const { directory, subgraph, environment } = options;
  const name = subgraph.split('=')[0];
  const candidate = subgraph.includes('=')
    ? subgraph
    : `${name}=${join(directory, 'schemas', `${name}.graphql`)}`;
  const request = { directory, candidates: [candidate], environment, today: utcDay() };
  const report = await checkContracts({ ...request, onProgress: showProgress }, checkParts);
  const { exitCode: code, obstacles, steps } = readDeployability(report);
  console.log(answer(code, `be deployed to ${environment} now`, name));
  if (obstacles.length > 0) {
    const { strict, checked } = report.summary;
    console.log('');
    writeReport(createReport({ findings: obstacles, strict, checked }), [{ format: 'text' }]);
  } else if (steps.length > 0) {
    console.log(`\nIn this order:\n${steps.map((step) => `  - ${step}`).join('\n')}`);
  }
  return code;
}

function answer(code: ExitCode, what: string, subgraph: string | undefined): string {
  switch (code) {
    case exitCode.fine:
      return `Yes: ${subgraph} can ${what}.`;
    case exitCode.failed:
      return `No: ${subgraph} cannot ${what}.`;
    case exitCode.wrongUsage:
      return `Whether ${subgraph} can ${what} is not known: the store or the arguments have mistakes.`;
    case exitCode.undecided:
      return `Whether ${subgraph} can ${what} is not known: something could not be found out.`;
  }
}
