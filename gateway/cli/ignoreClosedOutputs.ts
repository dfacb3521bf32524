// Lets a command end with its own exit code when the reader of its output has exited, as in `tributary … | head`.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

export {};
