import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { createPrivateDirectory, enablePrivateCompileCache } from '../../../gateway/cli/compileCache.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const user = process.getuid?.();
let root: string;

beforeEach(() => {
  root = createTemporaryDirectory();
});

test('a directory that does not exist is created with its parents, for its user only', () => {
  const path = join(root, 'home', 'tributary');
  expect(createPrivateDirectory(path, user)).toBe(path);
  expect(createPrivateDirectory(path, user)).toBe(path);
});

test('a link to a private directory is resolved', () => {
  mkdirSync(join(root, 'real'), { mode: 0o700 });
  symlinkSync(join(root, 'real'), join(root, 'link'));
  expect(createPrivateDirectory(join(root, 'link'), user)).toBe(join(root, 'real'));
});

test.each([
  ['it is writable for its group', '.', 0o770],
  ['it is writable for all', '.', 0o707],
  ['it is writable for all, with the sticky bit', '.', 0o1777],
  ['its parent is writable for all', '..', 0o777],
])('a directory is not used when %s', (_reason, which, mode) => {
  const path = join(root, 'home', 'tributary');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(join(path, which), mode);
  expect(createPrivateDirectory(path, user)).toBeUndefined();
});

test('a directory of another user is used only when that user is root', () => {
  const path = join(root, 'home', 'tributary');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  expect(createPrivateDirectory(path, (user ?? 0) + 1)).toBe(user === 0 ? path : undefined);
});

test('no directory is used where processes have no user id', () => {
  expect(createPrivateDirectory(join(root, 'home'), undefined)).toBeUndefined();
});

test('a directory that cannot be created is not used', () => {
  writeFileSync(join(root, 'file'), '');
  expect(createPrivateDirectory(join(root, 'file', 'tributary'), user)).toBeUndefined();
});

test.each([[{ NODE_COMPILE_CACHE: '/elsewhere' }], [{ NODE_DISABLE_COMPILE_CACHE: '1' }]])(
  'nothing is stored besides what Node is configured to store: %p',
  (configured) => {
    const env: NodeJS.ProcessEnv = { XDG_CACHE_HOME: root, ...configured };
    enablePrivateCompileCache(env);
    expect(env).toEqual({ XDG_CACHE_HOME: root, ...configured });
  },
);

test('nothing is stored for a user without a home directory', () => {
  const env: NodeJS.ProcessEnv = {};
  enablePrivateCompileCache(env, () => {
    throw new Error('uv_os_homedir returned ENOENT (no such file or directory)');
  });
  expect(env).toEqual({});
});
