import { expect, test } from '@jest/globals';
import { collectAloneOnOneCore, postponeOptimizationOnOneCore } from '../../../gateway/cli/singleCore.ts';

test.each([
  [1, ['--no-parallel-scavenge']],
  [2, []],
])('with %p cores, the flags that stop helper threads of scavenges are %p', (cores, expected) => {
  const flags: string[] = [];
  collectAloneOnOneCore(cores, (flag) => flags.push(flag));
  expect(flags).toEqual(expected);
});

test.each([
  [1, ['--efficiency-mode-disable-turbofan', '--efficiency-mode', 'ready', '--no-efficiency-mode']],
  [2, ['ready']],
])(
  'with %p cores, the flags that postpone optimization until the gateway is ready are %p',
  (cores, expected) => {
    const flags: string[] = [];
    const resume = postponeOptimizationOnOneCore(cores, (flag) => flags.push(flag));
    flags.push('ready');
    resume();
    expect(flags).toEqual(expected);
  },
);
