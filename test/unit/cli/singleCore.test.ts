import { expect, test } from '@jest/globals';
import { collectAloneOnOneCore, postponeBackgroundWorkOnOneCore } from '../../../gateway/cli/singleCore.ts';

test.each([
  [1, ['--no-parallel-scavenge']],
  [2, []],
])('with %p cores, the flags that stop helper threads of scavenges are %p', (cores, expected) => {
  const flags: string[] = [];
  collectAloneOnOneCore(cores, (flag) => flags.push(flag));
  expect(flags).toEqual(expected);
});

test.each([
  [
    1,
    [
      '--no-incremental-marking',
      '--efficiency-mode-disable-turbofan',
      '--efficiency-mode',
      'ready',
      '--incremental-marking',
      '--no-efficiency-mode',
    ],
  ],
  [2, ['ready']],
])(
  'with %p cores, the flags that postpone background work of V8 until the gateway is ready are %p',
  (cores, expected) => {
    const flags: string[] = [];
    const resume = postponeBackgroundWorkOnOneCore(cores, (flag) => flags.push(flag));
    flags.push('ready');
    resume();
    expect(flags).toEqual(expected);
  },
);
