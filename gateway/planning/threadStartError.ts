/** The system started no thread for a planner, such as beyond a limit of threads. The reason is not in the supergraph. */
export class ThreadStartError extends Error {
  override readonly name = 'ThreadStartError';

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `the system started no thread for the planner (${reason}); check the limits of processes and memory`,
      {
        cause,
      },
    );
  }
}
