// Plain JavaScript, as `launch.js` and `scripts/bootstrap.mjs` import it.
import { readFileSync } from 'node:fs';

const pollMs = 200;

/** The process id of the parent and, if the parent is a shell that npm started, of npm. Only Linux tells the latter. */
export function parentProcesses() {
  const { ppid } = process;
  try {
    const isShellOfNpm = readFileSync(`/proc/${ppid}/cmdline`, 'utf8').startsWith('sh\0-c\0');
    const status = isShellOfNpm ? readFileSync(`/proc/${ppid}/status`, 'utf8') : '';
    return `${ppid} ${/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? ''}`;
  } catch {
    return `${ppid} `;
  }
}

/** Calls `onEnd` once when one of these parent processes has ended. npm and npx start a command in a shell and send
 *  their signals to the shell, which ends without passing them on. Returns a function that stops watching. Watching
 *  does not keep this process running. */
export function watchParentProcesses(parents, onEnd) {
  const poll = setInterval(() => {
    if (parentProcesses() === parents) return;
    clearInterval(poll);
    onEnd();
  }, pollMs);
  poll.unref();
  return () => clearInterval(poll);
}
