const outputs = [process.stdout, process.stderr];

// Lets a command end with its own exit code when the reader of its output has exited, as in `tributary … | head`. Any other
// error of an output ends the command: what it prints is its result.
for (const output of outputs) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** Lets a server run whatever happens to its outputs, such as a full disk below a file. */
export function ignoreOutputErrors(): void {
  for (const output of outputs) output.removeAllListeners('error').on('error', () => {});
}
