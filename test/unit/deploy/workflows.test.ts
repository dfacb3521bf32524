import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../../..');

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly strategy?: { readonly matrix: { readonly node: readonly (string | number)[] } };
}

interface Workflow {
  readonly name: string;
  readonly on: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

async function readWorkflows(): Promise<Workflow[]> {
  const workflows: Workflow[] = [];
  for await (const path of glob('.github/workflows/*.yml', { cwd: root })) {
    const text = await readFile(join(root, path), 'utf8');
    workflows.push({ ...parse(text), text });
  }
  return workflows;
}

const workflows = await readWorkflows();

test('workflows exist for checks, contracts, the image, performance and releases', () => {
  expect(workflows.map(({ name }) => name).sort()).toEqual([
    'ci',
    'contracts',
    'image',
    'performance',
    'release',
  ]);
});

test('workflows pin each action to a commit, with its version', () => {
  const used = workflows.flatMap(({ text }) =>
    Array.from(text.matchAll(/\buses: (.+)$/gm), ([, action = '']) => action),
  );
  expect(used.length).toBeGreaterThan(10);
  expect(used.filter((action) => !/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
});

test('workflows may only read the repository by default, and every job has a time limit', () => {
  for (const { name, permissions, jobs } of workflows) {
    expect({ name, permissions }).toEqual({ name, permissions: { contents: 'read' } });
    const unlimited = Object.entries(jobs).filter(([, job]) => job['timeout-minutes'] === undefined);
    expect(unlimited.map(([job]) => job)).toEqual([]);
  }
});

test('the package is tried on the lowest Node that package.json allows, and on the newest of each line', async () => {
  const { engines, devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const [, lowest = '', lowestMajor = ''] = /^>=((\d+)\.\d+)$/.exec(engines.node) ?? [];
  const own = Number.parseInt(devDependencies.node, 10);
  const nodes = workflows.find(({ name }) => name === 'ci')?.jobs.package?.strategy?.matrix.node;
  expect(nodes?.at(0)).toBe(`${lowest}.0`);
  expect(nodes?.at(1)).toBe(Number(lowestMajor));
  expect(nodes?.at(-1)).toBe(own);
});

test('workflows name only files that exist', () => {
  const named = workflows.flatMap(({ text }) =>
    Array.from(text.matchAll(/\b(?:deploy|scripts)\/[\w./-]*\w/g), ([path]) => path),
  );
  expect(named).toContain('scripts/smokePackage.mjs');
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

// GitHub starts no workflow for what a workflow does with its own token, unless it is dispatched.
test('the release starts the workflow that publishes the image', () => {
  const find = (name: string) => workflows.find((workflow) => workflow.name === name);
  expect(find('release')?.text).toContain('gh workflow run image.yml --ref "$tag"');
  expect(find('release')?.jobs.release?.permissions).toMatchObject({ actions: 'write' });
  expect(Object.keys(find('image')?.on ?? {})).toContain('workflow_dispatch');
});
