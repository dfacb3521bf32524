import { readdir, readFile } from 'node:fs/promises';

/** The number of threads of this process with this name (Linux). */
export async function countThreads(name: string): Promise<number> {
  const tasks = await readdir('/proc/self/task');
  const names = await Promise.all(
    // A thread may end after the listing.
    tasks.map((task) => readFile(`/proc/self/task/${task}/comm`, 'utf8').catch(() => '')),
  );
  return names.filter((found) => found.trim() === name).length;
}
