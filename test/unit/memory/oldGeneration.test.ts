import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { youngGenerationLimit } from '../../../gateway/memory/oldGeneration.ts';

test('the load of a process with a small heap and a large young generation reaches the limit before V8 ends the process', async () => {
  const file = join(import.meta.dirname, '../../../gateway/admission/processLoad.ts');
  const program = `import { ProcessLoad } from ${JSON.stringify(file)};
    const load = new ProcessLoad();
    const used = [];
    do {
      for (let count = 0; count < 1_000; count++) used.push([count]);
    } while (load.readSample().memory < 0.9);
    console.log('shed');`;

  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-old-space-size=64',
    '--max-semi-space-size=64',
    '--input-type=module',
    '--eval',
    program,
  ]);

  expect(stdout).toBe('shed\n');
});

test.each([
  ['--max-old-space-size=640', 96],
  ['--max-semi-space-size=64', 192],
  ['--max_semi_space_size=5', 24],
  ['--max-semi-space-size=8 --max-semi-space-size=48 --experimental', 192],
  ['--max-semi-space-size=0', 96],
])('with %j, V8 reserves %i MiB for the young generation', (flags, megabytes) => {
  expect(youngGenerationLimit(flags)).toBe(megabytes * 1024 ** 2);
});
