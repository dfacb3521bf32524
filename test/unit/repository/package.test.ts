import { readdir, readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../../..');

/** Bundled into files for browsers. The package contains the bundles, not these sources. */
const pageSources = /^(storefront\/page\/|gateway\/insights\/page\/|gateway\/transport\/graphiql\/page\/)/;

/** Imports, and files of packages as entry points of a bundle. */
const pattern =
  /^(?:(?:import|export)\b[^'"`;]*\bfrom|import) '([^'.][^']*)'|\bimport\('([^'.][^']*)'\)|: '([\w-]+\/[\w./-]+\.(?:js|css))'/gm;

/** `@apollo/server` of `@apollo/server/errors`. */
function packageOf(specifier: string): string {
  return /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

/** The packages that the sources of a folder import, by whether they are sources of a page. */
async function importsOf(folder: string): Promise<{ page: Set<string>; other: Set<string> }> {
  const imports = { page: new Set<string>(), other: new Set<string>() };
  for (const entry of await readdir(join(root, folder), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const code = await readFile(path, 'utf8');
    const target = pageSources.test(path.slice(root.length + 1)) ? imports.page : imports.other;
    for (const [, ...specifiers] of code.matchAll(pattern)) {
      const name = packageOf(specifiers.find((specifier) => specifier !== undefined) ?? '');
      if (!name.startsWith('node:') && !builtinModules.includes(name)) target.add(name);
    }
  }
  return imports;
}

let manifest: {
  name: string;
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
beforeAll(async () => {
  manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
});

describe('package.json', () => {
  test('lists as dependencies what the sources of the package import, and nothing else', async () => {
    const [gateway, contracts] = await Promise.all([importsOf('gateway'), importsOf('contracts')]);
    const imported = new Set([...gateway.other, ...contracts.other]);
    expect([...imported].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  });

  test('has every package that a page imports among those that `npm start` installs for the bundling', async () => {
    const bootstrap = await readFile(join(root, 'scripts/bootstrap.mjs'), 'utf8');
    const [, list = ''] = /^const pagePackages = \[([^\]]*)\]/m.exec(bootstrap) ?? [];
    const installed = Array.from(list.matchAll(/'([^']+)'/g), ([, name = '']) => name);
    expect(installed.filter((name) => manifest.devDependencies[name] === undefined)).toEqual([]);
    const [storefront, gateway] = await Promise.all([importsOf('storefront'), importsOf('gateway')]);
    const imported = new Set(['esbuild', ...storefront.page, ...gateway.page]);
    const known = new Set([...installed, ...Object.keys(manifest.dependencies)]);
    expect([...imported].filter((name) => !known.has(name))).toEqual([]);
  });
});

test('package-lock.json has the version of package.json, which a release changes', async () => {
  const { version, packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  expect([version, packages[''].version]).toEqual([manifest.version, manifest.version]);
});

test('every package accepts the locked version of the OpenTelemetry API, so that npm prints no warning', async () => {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  const [major, minor] = packages['node_modules/@opentelemetry/api'].version.split('.').map(Number);
  const refusing = Object.entries<{ peerDependencies?: Record<string, string> }>(packages).filter(
    ([, { peerDependencies = {} }]) => {
      const range = peerDependencies['@opentelemetry/api'] ?? `^${major}.0.0`;
      const [, lowestMinor, limit = Number.POSITIVE_INFINITY] =
        new RegExp(`^(?:\\^|>=)${major}\\.(\\d+)\\.\\d+(?: <${major}\\.(\\d+)\\.0)?$`).exec(range) ?? [];
      return !(Number(lowestMinor) <= minor && minor < Number(limit));
    },
  );
  expect(refusing.map(([path]) => path)).toEqual([]);
});

test('every changeset names the package, as a release fails otherwise', async () => {
  const files = await readdir(join(root, '.changeset'));
  const changesets = files.filter((file) => file.endsWith('.md') && file !== 'README.md');
  const texts = await Promise.all(
    changesets.map(async (file) => [file, await readFile(join(root, '.changeset', file), 'utf8')] as const),
  );
  const header = new RegExp(`^---\n['"]${manifest.name}['"]: (major|minor|patch)\n---\n\n\\S`);
  expect(texts.filter(([, text]) => !header.test(text)).map(([file]) => file)).toEqual([]);
});

test('an entry of the changelog has links from the root, and the first release has one entry', async () => {
  const { default: changelog } = await import(join(root, '.changeset/changelog.js'));
  const lineOf = (id: string) =>
    changelog.getReleaseLine({ id, summary: 'See [a](../docs/a.md).' }, 'minor', null);
  expect(await lineOf('first-release')).toBe('- See [a](docs/a.md).');
  expect(await lineOf('other')).toBe(manifest.version === '0.0.0' ? '' : '- See [a](docs/a.md).');
});
