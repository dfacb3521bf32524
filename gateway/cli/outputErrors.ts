import { exitCode } from './exitCode.ts';

const outputs = [process.stdout, process.stderr];

/** Lets a command end with its own exit code when the reader of its output has exited, as in `tributary … | head`. Any other
 *  error of an output ends the command: what it prints is its result. */
export function endAtOutputErrors(): void {
  for (const output of outputs) {
    output.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return;
      // `tributary contracts` has an exit code of its own for errors that nothing catches.
      if (process.listenerCount('uncaughtException') > 0) throw error;
      console.error(`The output could not be written: ${error.message}`);
      process.exit(exitCode.failed);
    });
  }
}

/** Keeps a server running when its outputs fail, for example because the disk below a file is full. Takes the place of
 *  `endAtOutputErrors`. */
export function ignoreOutputErrors(): void {
  for (const output of outputs) output.removeAllListeners('error').on('error', () => {});
}
