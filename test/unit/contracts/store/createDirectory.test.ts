import { existsSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { createDirectory } from '../../../../contracts/store/createDirectory.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

describe('createDirectory', () => {
  test('creates missing ancestors and keeps existing directories', () => {
    using disk = new TemporaryContractStore();
    createDirectory(disk.path('a/b/c'));
    createDirectory(disk.path('a/b/c'));
    expect(existsSync(disk.path('a/b/c'))).toBe(true);
  });

  test('fails immediately in a directory that cannot have children', () => {
    using disk = new TemporaryContractStore({ file: '' });
    expect(() => createDirectory(disk.path('file/below'))).toThrow('ENOTDIR');
    expect(() => createDirectory('/proc/nope/x')).toThrow(/ENOENT|EACCES|EROFS/);
  });
});
