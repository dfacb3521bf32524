import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const root = join(import.meta.dirname, '../../..');

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly if?: string;
  readonly steps: readonly Step[];
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

test('workflows exist for checks, contracts, the image, long tests, performance and releases', () => {
  expect(workflows.map(({ name }) => name).sort()).toEqual([
    'ci',
    'contracts',
    'image',
    'long-tests',
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

const findWorkflow = (name: string) => workflows.find((workflow) => workflow.name === name);

// Version 1 looks for the tag in the output of CLI 2. With a later CLI it finds none, and says that nothing was published.
test('the action that publishes is of the generation of the installed Changesets, and gets the inputs of that generation', async () => {
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  expect(Number.parseInt(devDependencies['@changesets/cli'], 10)).toBe(3);
  const release = findWorkflow('release');
  expect(release?.text).toMatch(/uses: changesets\/action@[0-9a-f]{40} # v2\./);
  const action = release?.jobs.release?.steps.find(({ uses }) => uses?.startsWith('changesets/action@'));
  expect(action?.with).toEqual({
    'version-script': 'npm run release:version',
    'publish-script': 'npm run release',
  });
});

// Several numbers that the gateway promises are reached only there.
test('the long tests run each week', () => {
  const long = findWorkflow('long-tests');
  expect(long?.on.schedule).toEqual([{ cron: expect.stringMatching(/^\d+ \d+ \* \* \d$/) }]);
  expect(long?.jobs.test?.steps.at(-1)?.run).toBe('npm run test:long');
});

// GitHub starts no workflow for what a workflow does with its own token, unless it is dispatched.
test('the release starts the workflow that publishes the image, in a job that can be run again', () => {
  const release = findWorkflow('release');
  expect(release?.text).toContain('gh workflow run image.yml --ref "$tag"');
  expect(release?.jobs.artifacts?.if).toBe(`\${{ needs.release.outputs.published == 'true' }}`);
  expect(release?.jobs.artifacts?.permissions).toMatchObject({ actions: 'write' });
  expect(Object.keys(findWorkflow('image')?.on ?? {})).toContain('workflow_dispatch');
});

/** Runs the script of a step as GitHub does, and returns what it adds to the file with this name in the environment. */
function runStep(step: Step | undefined, file: string, env: Readonly<Record<string, string>> = {}): string {
  const directory = createTemporaryDirectory();
  const added = join(directory, 'added');
  execFileSync('bash', ['-e', '-c', step?.run ?? 'false'], {
    cwd: directory,
    env: { PATH: process.env.PATH, [file]: added, ...env },
  });
  return readFileSync(added, 'utf8');
}

// docker/metadata-action gives a prerelease only its own version when the type is `semver`.
test('the image has the version of its tag, and no prerelease is the latest one', () => {
  const steps = findWorkflow('image')?.jobs.publish?.steps ?? [];
  const version = steps.find(({ name }) => name === 'Version');
  const versions = ['tributary-gateway@0.1.0', 'v0.1.0', 'tributary-gateway@1.0.0-dev.3', 'v1.0.0-0.3.7'].map(
    (tag) => runStep(version, 'GITHUB_OUTPUT', { GITHUB_REF_NAME: tag }),
  );
  expect(versions).toEqual([
    'version=0.1.0\n',
    'version=v0.1.0\n',
    'version=1.0.0-dev.3\n',
    'version=v1.0.0-0.3.7\n',
  ]);
  const metadata = steps.find(({ uses }) => uses?.startsWith('docker/metadata-action@'));
  const value = `value=\${{ steps.version.outputs.version }}`;
  expect(metadata?.with?.tags).toBe(
    `type=semver,pattern={{version}},${value}\ntype=semver,pattern={{major}}.{{minor}},${value}\n`,
  );
});

test('the summary of a comparison that could not run says so', () => {
  const steps = findWorkflow('performance')?.jobs.compare?.steps ?? [];
  const summary = steps.find(({ name }) => name === 'Summary');
  expect(runStep(summary, 'GITHUB_STEP_SUMMARY')).toBe('Nothing was compared: see the log.\n');
});
