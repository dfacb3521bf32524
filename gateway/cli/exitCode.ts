/** What the exit code of every command means. */
export const exitCode = {
  success: 0,
  /** What was checked does not hold, or a server could not run. */
  failed: 1,
  /** Wrong arguments, configuration or input. */
  usageError: 2,
  /** The question could not be decided: something that is needed for the answer does not answer. */
  undecided: 3,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** Ends a command with a message on standard error and an exit code. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(code: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = code;
  }
}
