import { type CommandOutcome, runCommandInProcess } from './commandInProcess.ts';
import { NodeProcess } from './nodeProcess.ts';

const cli = new URL('../../gateway/cli.ts', import.meta.url).pathname;

/** A running `tributary contracts drift …`, in a process of its own. */
export class DriftCommand extends NodeProcess {
  constructor(cwd: string, ...args: readonly string[]) {
    super([cli, 'contracts', 'drift', ...args], { cwd });
  }

  /** Resolves when standard output matches. */
  async waitForOutput(pattern: RegExp): Promise<void> {
    await this.printed('stdout', pattern);
  }
}

/** Runs the command to its end, in this process. */
export function runDrift(cwd: string, ...args: readonly string[]): Promise<CommandOutcome> {
  return runCommandInProcess(['contracts', 'drift', ...args], cwd);
}

/** Severity, rule, subgraph, operations and rollout order of each finding in a JSON report. */
export function summarizeFindings(report: string): string[] {
  const { findings } = JSON.parse(report) as {
    findings: {
      rule: string;
      severity: string;
      subgraph?: string;
      affects?: { consumer: string; operation: string }[];
      deployment?: { order: string };
    }[];
  };
  return findings.map(({ rule, severity, subgraph, affects = [], deployment }) =>
    [severity, rule, subgraph, ...affects.map((one) => `${one.consumer}/${one.operation}`), deployment?.order]
      .filter((part) => part !== undefined)
      .join(' '),
  );
}
