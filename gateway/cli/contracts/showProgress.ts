/** Tells what is being done now, where it does not mix with what a command prints. */
export function showProgress(message: string): void {
  process.stderr.write(`… ${message}\n`);
}
