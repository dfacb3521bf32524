import { globSync, readFileSync } from 'node:fs';
import { FEDERATION_VERSIONS, ROUTER_SUPPORTED_SUPERGRAPH_FEATURES } from '@apollo/federation-internals';
import { expect, test } from '@jest/globals';
import { describeUnsupportedFeatures, featureSupport } from '../../../gateway/planning/supergraphFeatures.ts';

const page = readFileSync(new URL('../../../docs/federation.md', import.meta.url), 'utf8');

/** The rows of the first table under a heading, as the texts of their cells. */
function rowsUnder(heading: string): string[][] {
  const section = page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test('docs/federation.md lists every feature with its support', () => {
  const rows = featureSupport.map(({ identity, versions, kind }) => [
    `\`${identity.slice(identity.lastIndexOf('/') + 1)}\``,
    versions.join(', '),
    kind,
  ]);
  expect(rowsUnder('Features of a supergraph')).toEqual(rows);
});

test('every feature that the composer can link to has a support level', () => {
  const known = featureSupport.flatMap(({ identity, versions }) =>
    versions.map((version) => `${identity}/${version}`),
  );
  expect([...ROUTER_SUPPORTED_SUPERGRAPH_FEATURES].filter((url) => !known.includes(url))).toEqual([]);
});

test('docs/federation.md lists the directives of the specification of Tributary', () => {
  const root = new URL('../../../gateway/', import.meta.url);
  const names = globSync('**/*.ts', { cwd: root }).flatMap((file) =>
    Array.from(
      readFileSync(new URL(file, root), 'utf8').matchAll(/\busesOfDirective\(\w+, '(\w+)'\)/g),
      ([, name = '']) => name,
    ),
  );
  const listed = rowsUnder('Directives of subgraphs').flatMap(([cell = '']) =>
    Array.from(cell.matchAll(/^`@(\w+)` of `https:\/\/tributary\.dev\/spec/g), ([, name = '']) => name),
  );
  expect(listed.sort()).toEqual([...new Set(names)].sort());
});

test('features that are not executed are refused in every version, as docs/federation.md says', () => {
  const refused = featureSupport.filter(
    ({ identity }) =>
      describeUnsupportedFeatures([{ identity, version: 'v99', isRequired: false, coordinates: [] }]) !==
      undefined,
  );
  const names = refused.map(({ identity }) => `\`${identity.slice(identity.lastIndexOf('/') + 1)}\``);
  expect(page).toContain(`Only ${names.join(' and ')} is refused in every version, also without \`for:\`.`);
});

test('docs/federation.md names the newest version of Federation that can be composed', () => {
  const newest = String(FEDERATION_VERSIONS.latest().version).replace('v', '');
  expect(page).toContain(`Federation 2.0 to ${newest},`);
});
