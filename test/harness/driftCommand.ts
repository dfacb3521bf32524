import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type CommandOutcome, runCommandInProcess } from './commandInProcess.ts';

const cli = new URL('../../gateway/cli.ts', import.meta.url).pathname;

/** A running `tributary contracts drift …`, in a process of its own. */
export class DriftCommand implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly exitCode: Promise<number | null>;
  readonly #checks = new Set<() => void>();

  constructor(cwd: string, ...args: readonly string[]) {
    const { NODE_OPTIONS: _, ...env } = process.env;
    this.child = spawn(process.execPath, [cli, 'contracts', 'drift', ...args], { cwd, env });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      for (const check of this.#checks) check();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exitCode = once(this.child, 'close').then(([code]) => code);
  }

  /** Resolves when standard output matches. */
  async waitForOutput(pattern: RegExp): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const check = () => {
        if (pattern.test(this.stdout)) resolve();
      };
      this.#checks.add(check);
      check();
    });
    const early = this.exitCode.then((code) => {
      throw new Error(`It ended with ${code} before ${pattern}:\n${this.stdout}${this.stderr}`);
    });
    await Promise.race([seen, early]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exitCode;
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
