import { readdir, readFile } from 'node:fs/promises';

/** How many threads of this process have a name, as the system lists them (Linux). */
export async function countThreads(name: string): Promise<number> {
  const tasks = await readdir('/proc/self/task');
  const names = await Promise.all(
    // A thread may end between the listing and the reading.
    tasks.map((task) => readFile(`/proc/self/task/${task}/comm`, 'utf8').catch(() => '')),
  );
  return names.filter((found) => found.trim() === name).length;
}
