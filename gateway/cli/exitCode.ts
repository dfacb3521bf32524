/** Exit codes of all commands. */
export const exitCode = {
  success: 0,
  /** A check found problems, or a server could not run. */
  failed: 1,
  /** Invalid arguments, configuration or input. */
  usageError: 2,
  /** The check could not be decided, because a system that it depends on did not respond. */
  undecided: 3,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** Ends a command with this message on standard error and this exit code. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(code: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = code;
  }
}
