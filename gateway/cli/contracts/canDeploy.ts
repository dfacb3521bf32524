import { join } from 'node:path';
import { checkContracts } from '../../../contracts/checkContracts.ts';
import { evaluateDeployability } from '../../../contracts/deployability.ts';
import { createReport } from '../../../contracts/report/createReport.ts';
import { type ExitCode, exitCode } from '../exitCode.ts';
import { checkDependencies, showProgress, utcDate } from './checkSetup.ts';
import { writeReport } from './reportOutputs.ts';

export interface ContractsCanDeployOptions {
  readonly directory: string;
  /** `NAME` for the contract, `NAME=FILE` or `NAME=URL` for a candidate. */
  readonly subgraph: string;
  readonly environment: string;
}

/** Prints whether a subgraph can be deployed to an environment now, and why not or in which order. Resolves with the
 *  exit code. */
export async function contractsCanDeploy(options: ContractsCanDeployOptions): Promise<ExitCode> {
  const { directory, subgraph, environment } = options;
  const name = subgraph.split('=')[0];
  const candidate = subgraph.includes('=')
    ? subgraph
    : `${name}=${join(directory, 'schemas', `${name}.graphql`)}`;
  const request = { directory, candidates: [candidate], environment, today: utcDate() };
  const report = await checkContracts({ ...request, onProgress: showProgress }, checkDependencies);
  const { exitCode: code, obstacles, steps } = evaluateDeployability(report);
  console.log(describeAnswer(code, `be deployed to ${environment} now`, name));
  if (obstacles.length > 0) {
    const { strict, checked } = report.summary;
    console.log('');
    writeReport(createReport({ findings: obstacles, strict, checked }), [{ format: 'text' }]);
  } else if (steps.length > 0) {
    console.log(`\nIn this order:\n${steps.map((step) => `  - ${step}`).join('\n')}`);
  }
  return code;
}

function describeAnswer(code: ExitCode, what: string, subgraph: string | undefined): string {
  switch (code) {
    case exitCode.success:
      return `Yes: ${subgraph} can ${what}.`;
    case exitCode.failed:
      return `No: ${subgraph} cannot ${what}.`;
    case exitCode.usageError:
      return `Whether ${subgraph} can ${what} is not known: the store or the arguments have mistakes.`;
    case exitCode.undecided:
      return `Whether ${subgraph} can ${what} is not known: something could not be determined.`;
  }
}
