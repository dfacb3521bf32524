// Fifty answers of some 100 KB that are under way at once do not fit into V8's default young generation
// (16 MB): they are promoted and the collector takes a third of the processor's time. The size can only be
// given when a process starts.
const youngGenerationFlag = '--max-semi-space-size=64';

/** The flags of this process and the young generation's size, unless somebody chose one. */
export function flagsWithYoungGeneration(
  flags: readonly string[] = process.execArgv,
  nodeOptions = process.env.NODE_OPTIONS ?? '',
): string[] {
  return hasYoungGenerationFlag([...flags, nodeOptions]) ? [...flags] : [youngGenerationFlag, ...flags];
}

/** Starts this program again in the same process, with the flag. Returns only where that is not needed or
 *  not possible: the flag is there, or the platform (Windows) or a parent's message channel, which would be
 *  lost, forbid it. */
export function restartWithYoungGeneration(): void {
  const { execArgv, execPath, argv, env } = process;
  if (hasYoungGenerationFlag([...execArgv, env.NODE_OPTIONS ?? '']) || process.execve === undefined) return;
  if (process.platform === 'win32' || process.send !== undefined) return;
  process.execve(execPath, [execPath, ...flagsWithYoungGeneration(), ...argv.slice(1)], definedEnvironment());
}

function hasYoungGenerationFlag(flags: readonly string[]): boolean {
  return flags.some((text) => /--max[-_]semi[-_]space[-_]size/.test(text));
}

function definedEnvironment(): Record<string, string> {
  const set = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(set);
}
