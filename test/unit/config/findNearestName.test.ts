import { expect, test } from '@jest/globals';
import { findNearestName } from '../../../gateway/config/findNearestName.ts';

const keys = ['host', 'port', 'path', 'drainTimeout'];

test.each([
  ['prot', 'port'],
  ['PORT', 'port'],
  ['hots', 'host'],
  ['drain_timeout', 'drainTimeout'],
  ['drainTimout', 'drainTimeout'],
])('findNearestName corrects %s to %s', (typed, meant) => {
  expect(findNearestName(typed, keys)).toBe(meant);
});

test.each(['redis', 'x', 'p', ''])('findNearestName finds nothing for %p', (typed) => {
  expect(findNearestName(typed, keys)).toBeUndefined();
});
