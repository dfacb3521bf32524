import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { profileTarget, summarizeAllocations, summarizeCpu } from '../../../bench/profileTarget.ts';
import { freePort } from '../../harness/freePort.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const at = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });

test('CPU time is summed over the callers of a function, without idle time', () => {
  const summary = summarizeCpu({
    nodes: [
      { callFrame: at('(root)'), hitCount: 1 },
      { callFrame: at('(idle)'), hitCount: 90 },
      { callFrame: at('(program)'), hitCount: 2 },
      { callFrame: at('read', 'node:fs', 9), hitCount: 3 },
      { callFrame: at('read', 'node:fs', 9), hitCount: 4 },
      { callFrame: at('', new URL('../../../gateway/cli.ts', import.meta.url).href, 0), hitCount: 1 },
      { callFrame: at('unused', 'node:fs', 1), hitCount: 0 },
    ],
  });
  expect(summary).toEqual([
    { name: 'read', place: 'node:fs:10', share: 0.7 },
    { name: '(program)', place: '', share: 0.2 },
    { name: '(anonymous)', place: 'gateway/cli.ts:1', share: 0.1 },
  ]);
});

test('functions of a bundle have the place of their source', async () => {
  const directory = createTemporaryDirectory();
  const bundle = join(directory, 'chunk.js');
  const lines = [
    '// gateway/a.ts',
    'function a() {}',
    '',
    '// gateway/json/b.ts',
    '// A comment.',
    'function b() {}',
  ];
  await writeFile(bundle, lines.join('\n'));
  const { href } = pathToFileURL(bundle);

  const summary = summarizeCpu({
    nodes: [
      { callFrame: at('a', href, 1), hitCount: 3 },
      { callFrame: at('b', href, 5), hitCount: 1 },
    ],
  });

  expect(summary.map(({ place }) => place)).toEqual(['gateway/a.ts', 'gateway/json/b.ts']);
});

test('allocations are summed over all callers', () => {
  const leaf = (selfSize: number) => ({ callFrame: at('leaf', 'node:net', 4), selfSize, children: [] });
  const summary = summarizeAllocations({
    head: {
      callFrame: at('(root)'),
      selfSize: 0,
      children: [
        { callFrame: at('a', 'node:net', 0), selfSize: 25, children: [leaf(50)] },
        { callFrame: at('b', 'node:net', 1), selfSize: 0, children: [leaf(25)] },
      ],
    },
  });
  expect(summary).toEqual([
    { name: 'leaf', place: 'node:net:5', share: 0.75 },
    { name: 'a', place: 'node:net:1', share: 0.25 },
  ]);
});

test('a running process is profiled, and its profiles are in files', async () => {
  const directory = createTemporaryDirectory();
  const inspectorPort = await freePort();
  const program =
    'function work() { const made = []; for (let i = 0; i < 1e5; i++) made.push({ i }); console.log(made.length); } setInterval(work, 1)';
  const child = spawn(process.execPath, [`--inspect-port=${inspectorPort}`, '-e', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const doSomeWork = async () => {
      for (let lines = 0; lines < 50; lines++) await once(child.stdout, 'data');
    };
    await doSomeWork();
    const { cpu, allocations } = await profileTarget({
      pid: child.pid as number,
      inspectorPort,
      load: doSomeWork,
      files: join(directory, 'small-floor'),
    });
    expect(cpu.map(({ name }) => name)).toContain('work');
    expect(allocations[0]).toMatchObject({ name: 'work', share: expect.any(Number) });
    for (const ending of ['cpuprofile', 'heapprofile'])
      expect(JSON.parse(await readFile(join(directory, `small-floor.${ending}`), 'utf8'))).toBeInstanceOf(
        Object,
      );
  } finally {
    child.kill('SIGKILL');
  }
});
