import { existsSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { createDirectory } from '../../../../contracts/store/createDirectory.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

describe('making a directory', () => {
  test('makes those above it, and leaves alone what is there', () => {
    using disk = new TemporaryContractStore();
    createDirectory(disk.path('a/b/c'));
    createDirectory(disk.path('a/b/c'));
    expect(existsSync(disk.path('a/b/c'))).toBe(true);
  });

  test('fails at once where there can be none', () => {
    using disk = new TemporaryContractStore({ file: '' });
    expect(() => createDirectory(disk.path('file/below'))).toThrow('ENOTDIR');
    expect(() => createDirectory('/proc/nope/x')).toThrow(/ENOENT|EACCES|EROFS/);
  });
});
