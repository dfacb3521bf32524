import { expect, test } from '@jest/globals';
import { findConfigProblems } from '../../../gateway/config/parseConfig.ts';

const problemsOf = (trustedDocuments: unknown) =>
  findConfigProblems({ supergraph: { file: 'a' }, security: { trustedDocuments } });
const path = 'security.trustedDocuments.manifest';

test.each([
  [{ mode: 'require' }, 'is missing, but mode is require', 'the path of a manifest, or mode: off'],
  [
    { mode: 'prefer', manifest: '' },
    'is missing, but mode is prefer',
    'the path of a manifest, or mode: off',
  ],
  [{ mode: 'prefer', manifest: 5 }, 'is 5', 'the path of a file, or a list of paths'],
  [{ mode: 'prefer', manifest: ['a', ' '] }, 'is a list', 'the path of a file, or a list of paths'],
])('trusted documents need a manifest: %j', (section, message, expected) => {
  expect(problemsOf(section)).toEqual([{ path, message, expected }]);
});

test('a manifest without a mode is valid, so that the mode can be set by an environment variable', () => {
  expect(problemsOf({ manifest: 'a.json' })).toEqual([]);
  expect(problemsOf({ mode: 'sometimes', manifest: 'a.json' })).toEqual([
    {
      path: 'security.trustedDocuments.mode',
      message: 'is "sometimes"',
      expected: 'one of off, prefer, require',
    },
  ]);
});
