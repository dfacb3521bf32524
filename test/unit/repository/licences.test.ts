import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { bundledLicences } from '../../../scripts/bundledLicences.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const root = join(import.meta.dirname, '../../..');

/** Licences that only require notices. LICENSE-DEPENDENCIES.md must list all others. */
const free = new Set([
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'PSF-2.0',
]);

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
}

interface Manifest {
  readonly name: string;
  readonly license?: string | { readonly type: string };
  readonly licenses?: readonly { readonly type: string }[];
}

function licenceOf(manifest: Manifest): string {
  const { license, licenses } = manifest;
  if (typeof license === 'string') return license;
  return license?.type ?? licenses?.map(({ type }) => type).join(' OR ') ?? 'none';
}

/** `MIT`, `(MIT OR GPL-2.0)` and `(MIT AND BSD-3-Clause)` are free, `Elastic-2.0` is not. */
function isFree(expression: string): boolean {
  const options = expression.replaceAll(/[()]/g, '').split(' OR ');
  return options.some((option) => option.split(' AND ').every((licence) => free.has(licence.trim())));
}

async function readPackages(): Promise<Map<string, LockedPackage>> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  return new Map(Object.entries(lock.packages as Record<string, LockedPackage>));
}

/** The licence of each production dependency by its name, from the package itself. */
async function productionLicences(): Promise<Map<string, string>> {
  const licences = new Map<string, string>();
  for (const [path, { dev, optional }] of await readPackages()) {
    if (path === '' || dev || optional) continue;
    const manifest: Manifest = JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8'));
    licences.set(manifest.name, licenceOf(manifest));
  }
  return licences;
}

async function listedLicences(): Promise<Map<string, string>> {
  const text = await readFile(join(root, 'LICENSE-DEPENDENCIES.md'), 'utf8');
  return new Map(
    [...text.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(([, name = '', licence = '']) => [name, licence]),
  );
}

describe('LICENSE-DEPENDENCIES.md', () => {
  test('lists exactly the production dependencies whose licence requires more than notices', async () => {
    const licences = await productionLicences();
    expect(licences.size).toBeGreaterThan(100);
    const restricted = [...licences].filter(([, licence]) => !isFree(licence));
    expect(new Map(restricted.sort())).toEqual(await listedLicences());
  });
});

test('the licences of a bundle are those of the packages of its files, each once, with their texts', async () => {
  const folder = createTemporaryDirectory();
  const files = {
    'node_modules/a/package.json': '{ "name": "a", "version": "1.0.0", "license": "MIT" }',
    'node_modules/a/LICENSE.md': 'Copyright A',
    'node_modules/a/ThirdPartyNotices.txt': 'Copyright of others in A',
    'node_modules/a/node_modules/@s/b/package.json':
      '{ "name": "@s/b", "version": "2.0.0", "license": "ISC" }',
    'node_modules/unused/package.json': '{ "name": "unused", "version": "3.0.0", "license": "MIT" }',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const bundled = [
    'gateway/page/main.tsx',
    'node_modules/a/index.js',
    'node_modules/a/lib/more.js',
    'node_modules/a/node_modules/@s/b/index.js',
  ];
  const parts = (await bundledLicences(folder, bundled)).split(/-{80}/).map((part) => part.trim());
  expect(parts).toEqual([
    'The files beside this one have code of these packages.',
    'a 1.0.0: MIT\n\nCopyright A\nCopyright of others in A',
    '@s/b 2.0.0: ISC',
  ]);
});

describe('package-lock.json', () => {
  test('names no registry, so that each user installs from their own', async () => {
    expect(await readFile(join(root, 'package-lock.json'), 'utf8')).not.toContain('"resolved": "http');
  });
});
