import { existsSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { makeDirectory } from '../../../../gateway/contracts/store/makeDirectory.ts';
import { StoreOnDisk } from './storeOnDisk.ts';

describe('making a directory', () => {
  test('makes those above it, and leaves alone what is there', () => {
    using disk = new StoreOnDisk();
    makeDirectory(disk.path('a/b/c'));
    makeDirectory(disk.path('a/b/c'));
    expect(existsSync(disk.path('a/b/c'))).toBe(true);
  });

  test('fails at once where there can be none', () => {
    using disk = new StoreOnDisk({ file: '' });
    expect(() => makeDirectory(disk.path('file/below'))).toThrow('ENOTDIR');
    expect(() => makeDirectory('/proc/nope/x')).toThrow(/ENOENT|EACCES|EROFS/);
  });
});
