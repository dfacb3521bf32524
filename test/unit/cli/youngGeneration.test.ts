import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import {
  createObjectsInYoungGeneration,
  flagsWithYoungGeneration,
} from '../../../gateway/cli/youngGeneration.ts';

test('the flag for the young generation is added to the other flags', () => {
  expect(flagsWithYoungGeneration(['--enable-source-maps'], '')).toEqual([
    '--max-semi-space-size=64',
    '--enable-source-maps',
  ]);
});

test.each([
  [['--max-semi-space-size=32'], ''],
  [['--max_semi_space_size=32'], ''],
  [[], '--max-semi-space-size=16 --enable-source-maps'],
])('a configured size of the young generation is not changed: %p, NODE_OPTIONS %p', (flags, nodeOptions) => {
  expect(flagsWithYoungGeneration(flags, nodeOptions)).toEqual(flags);
});

test('objects are created in the young generation only, by a flag that this V8 knows', () => {
  const flags: string[] = [];
  createObjectsInYoungGeneration((flag) => flags.push(flag));
  expect(flags).toEqual(['--no-allocation-site-pretenuring']);
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  expect(options).toContain('--allocation-site-pretenuring');
});
