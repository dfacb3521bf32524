import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readContractStore } from '../../../../contracts/store/readContractStore.ts';
import { replaceFiles } from '../../../../contracts/store/replaceFiles.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

describe('replaceFiles', () => {
  test('changes nothing when one of the files cannot be replaced', () => {
    using disk = new TemporaryContractStore({ 'contracts/a.graphql': 'old' });
    mkdirSync(disk.path('contracts/c.graphql'));
    const texts = ['a', 'b', 'c'].map((name) => [disk.path(`contracts/${name}.graphql`), 'new'] as const);
    expect(() => replaceFiles(new Map(texts))).toThrow(/EISDIR/);
    expect(readFileSync(disk.path('contracts/a.graphql'), 'utf8')).toBe('old');
    expect(readdirSync(disk.path('contracts'))).toEqual(['a.graphql', 'c.graphql']);
  });

  test('writes through a symbolic link', () => {
    using disk = new TemporaryContractStore({ 'shared.graphql': 'old', 'contracts/b.graphql': '' });
    const link = disk.path('contracts/a.graphql');
    symlinkSync(disk.path('shared.graphql'), link);
    replaceFiles(new Map([[link, 'new']]));
    expect(readFileSync(disk.path('shared.graphql'), 'utf8')).toBe('new');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  /** Replaces files in a process in which these statements stand for each rename. */
  async function replaceInProcess(paths: readonly string[], statements: string) {
    const module = new URL('../../../../contracts/store/replaceFiles.ts', import.meta.url).href;
    // The module takes its functions from node:fs.
    const script = `
      import fs from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      const { renameSync } = fs;
      fs.renameSync = (from, to) => {
        const rename = () => renameSync(from, to);
        ${statements}
      };
      syncBuiltinESMExports();
      const { replaceFiles } = await import(${JSON.stringify(module)});
      try {
        replaceFiles(new Map(${JSON.stringify(paths.map((path) => [path, 'new']))}));
      } catch {
        process.exit(1);
      }
    `;
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env,
      stdio: 'inherit',
    });
    return await once(child, 'exit');
  }

  test('restores the files before the one that cannot be renamed, and removes those that are new', async () => {
    using disk = new TemporaryContractStore({ 'contracts/a.graphql': 'old' });
    const paths = ['a', 'b', 'c'].map((name) => disk.path(`contracts/${name}.graphql`));
    const refuseLast = "if (to.endsWith('c.graphql')) throw new Error(); rename();";
    expect(await replaceInProcess(paths, refuseLast)).toEqual([1, null]);
    expect(readFileSync(disk.path('contracts/a.graphql'), 'utf8')).toBe('old');
    expect(readdirSync(disk.path('contracts'))).toEqual(['a.graphql']);
  });

  test('writes every file although the process gets a stop signal after the first one', async () => {
    using disk = new TemporaryContractStore({ 'contracts/a.graphql': 'old' });
    const paths = ['a', 'b', 'c'].map((name) => disk.path(`contracts/${name}.graphql`));
    expect(await replaceInProcess(paths, "rename(); process.kill(process.pid, 'SIGTERM');")).toEqual([
      0,
      null,
    ]);
    expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(['new', 'new', 'new']);
  });

  test('leaves files that the store reports when the process is killed after the first rename', async () => {
    using disk = new TemporaryContractStore({ 'contracts/schemas/a.graphql': 'type Query { a: Int }' });
    const paths = ['schemas/a.graphql', 'schemas/b.graphql', 'CHANGELOG.md'].map((name) =>
      disk.path(`contracts/${name}`),
    );
    expect(await replaceInProcess(paths, "rename(); process.kill(process.pid, 'SIGKILL');")).toEqual([
      null,
      'SIGKILL',
    ]);
    const { problems } = await readContractStore(disk.path('contracts'));
    expect(problems.flatMap(({ rule, message }) => (rule === 'store-file-unknown' ? [message] : []))).toEqual(
      ['.CHANGELOG.md', 'schemas/.b.graphql'].map((name) =>
        expect.stringMatching(`${name}\\.\\d+\\.tmp is left over from a command that was killed`),
      ),
    );
  });
});
