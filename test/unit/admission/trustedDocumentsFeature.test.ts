import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  loadTrustedDocuments,
  type TrustedDocumentsFeature,
} from '../../../gateway/admission/documents/trustedDocumentsFeature.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { createGateway } from '../../../gateway/gateway.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { supergraphOf, testSdl } from '../../harness/scriptedServer.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

let directory: string;
let file: string;
let feature: TrustedDocumentsFeature | undefined;

beforeEach(() => {
  directory = createTemporaryDirectory();
  file = join(directory, 'documents.json');
});

afterEach(async () => {
  await feature?.stop(0);
  feature = undefined;
});

/** Loads the file. Timers fire only in `nextLine`. */
async function load() {
  const timers = new FakeTimers();
  const lines: (readonly [string, string, unknown])[] = [];
  let seen = 0;
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push([level, message, fields]);
  const details: object[] = [];
  feature = await loadTrustedDocuments({
    config: parseConfig({
      supergraph: { file: 'supergraph.graphql' },
      security: { trustedDocuments: { mode: 'require', manifest: file } },
      limits: { depth: 3 },
    }),
    log: {
      debug: (fields: object) => void details.push(fields),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    } as never,
    timers,
  });
  if (feature === undefined) throw new Error('The option is off.');
  /** Waits for the next line of the log, while everything that is due happens. */
  const nextLine = async () => {
    while (lines.length === seen) {
      if (timers.pendingMs().includes(100)) timers.fire(100);
      await waitForTurns();
    }
    return lines[seen++];
  };
  return { feature, timers, lines, details, nextLine };
}

/** Replaces the file in one step, as tools that deploy it do. */
async function replaceFile(content: unknown): Promise<void> {
  await writeFile(`${file}.new`, typeof content === 'string' ? content : JSON.stringify(content));
  await rename(`${file}.new`, file);
}

const idsOf = ({ documents }: TrustedDocumentsFeature) => documents.manifest.documents.map(({ id }) => id);

describe('the manifest of trusted documents', () => {
  test('is reloaded when it changes, and a broken one leaves the previous one in use', async () => {
    await replaceFile({ a: '{ greeting }' });
    const { feature, nextLine } = await load();
    feature.onListening();
    await replaceFile({ a: '{ greeting }', b: '{ node { id } }' });
    expect(await nextLine()).toEqual([
      'info',
      'The manifest of trusted documents has changed',
      { documents: 2 },
    ]);
    expect(idsOf(feature)).toEqual(['a', 'b']);

    await replaceFile('{ "a": "{ greet');
    const refused = 'The manifest of trusted documents cannot be used, so that the previous one stays in use';
    expect(await nextLine()).toEqual([
      'error',
      refused,
      {
        problems: [
          expect.stringMatching(/documents\.json is not JSON \(.+\)\. Write a persisted-query manifest/),
        ],
      },
    ]);
    await rm(file);
    expect(await nextLine()).toEqual([
      'error',
      refused,
      { problems: [`${file} does not exist. Name an existing file in UTF-8.`] },
    ]);
    expect(idsOf(feature)).toEqual(['a', 'b']);

    await replaceFile({ c: '{ greeting }' });
    expect((await nextLine())?.[2]).toEqual({ documents: 1 });
    expect(idsOf(feature)).toEqual(['c']);
  });

  test('is reloaded when a mounted volume replaces the symbolic link to it', async () => {
    for (const version of ['v1', 'v2']) {
      await mkdir(join(directory, version));
      await writeFile(join(directory, version, 'documents.json'), `{ "${version}": "{ greeting }" }`);
    }
    await symlink('v1', join(directory, 'data'));
    await symlink('data/documents.json', file);
    const { feature, nextLine } = await load();
    expect(idsOf(feature)).toEqual(['v1']);
    feature.onListening();
    await symlink('v2', join(directory, 'data-new'));
    await rename(join(directory, 'data-new'), join(directory, 'data'));
    await nextLine();
    expect(idsOf(feature)).toEqual(['v2']);
  });

  test('has one warning with the problems that a supergraph has with its documents, again for each supergraph', async () => {
    await replaceFile({
      valid: '{ greeting }',
      unknown: 'query Nothing { nothing node { nope } }',
      introspecting: '{ __schema { queryType { name } } }',
      deep: '{ node { node { node { id } } } }',
      labelled: 'query ($l: String) { ... @defer(label: $l) { greeting } }',
      alike: '{ a: nothing b: nothing }',
    });
    const { feature, nextLine, lines, details } = await load();
    feature.onSupergraph(supergraphOf(testSdl, 'first'));
    const report = (problem: unknown, documents: number, document: string, operation?: string) => ({
      problem,
      documents,
      first: { document, operation, file },
    });
    const nope = 'Cannot query field "nope" on type "Node". Did you mean "node" or "name"?';
    const ofEverySupergraph = [
      report(expect.stringMatching(/introspection.*"__schema"/), 1, 'introspecting'),
      report(expect.stringMatching(/introspection.*"queryType"/), 1, 'introspecting'),
      report(
        'The operation is nested at least 4 levels deep; at most 3 are allowed (limits.depth).',
        1,
        'deep',
      ),
      report(expect.stringContaining('label'), 1, 'labelled'),
    ];
    expect(await nextLine()).toEqual([
      'warn',
      'Trusted documents are invalid, so that requests for them are refused',
      {
        invalid: 5,
        documents: 6,
        problems: [
          report('Cannot query field "nothing" on type "Query".', 2, 'unknown', 'Nothing'),
          report(nope, 1, 'unknown', 'Nothing'),
          ...ofEverySupergraph,
        ],
        supergraph: 'first',
      },
    ]);
    expect(details).toHaveLength(5);
    expect(details[0]).toEqual({
      document: 'unknown',
      operation: 'Nothing',
      file,
      problems: ['Cannot query field "nothing" on type "Query".', nope],
      supergraph: 'first',
    });
    feature.onSupergraph(
      supergraphOf(`${testSdl} extend type Query { nothing: Int } extend type Node { nope: Int }`, 'second'),
    );
    expect((await nextLine())?.[2]).toEqual({
      invalid: 3,
      documents: 6,
      problems: ofEverySupergraph,
      supergraph: 'second',
    });
    expect(lines).toHaveLength(2);
  });

  test('has a warning with the most frequent problems only', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `field${index}`);
    await replaceFile({
      ...Object.fromEntries(names.map((name) => [name, `{ ${name} }`])),
      again: `{ ${names.at(-1)} }`,
    });
    const { feature, nextLine } = await load();
    feature.onSupergraph(supergraphOf(testSdl));
    const [, , fields] = (await nextLine()) ?? [];
    const { invalid, problems } = fields as { invalid: number; problems: { documents: number }[] };
    expect([invalid, problems.length, problems[0]?.documents]).toEqual([31, 20, 2]);
  });

  test('of ten thousand documents is validated in slices of the event loop', async () => {
    const documents = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`${index}`, `{ a${index}: nothing }`]),
    );
    await replaceFile(documents);
    const { feature, timers, details } = await load();
    feature.onSupergraph(supergraphOf(testSdl));
    // One slice is over when this returns; the others let everything else run in between.
    expect(details.length).toBeLessThan(10_000);
    const stopping = feature.stop(1_000);
    timers.fire(1_000);
    await stopping;
    const validated = details.length;
    await waitForTurns(3);
    expect(details.length).toBe(validated);
  });
});

describe('a gateway with a manifest that cannot be used', () => {
  test.each([
    ['missing', undefined, 'FILE does not exist. Name an existing file in UTF-8.'],
    [
      'broken',
      '{ "a": "query (" }',
      'FILE has the document "a", which is no GraphQL: Syntax Error: Expected "$", found <EOF>. (line 1, column 8). Extract the documents from the sources of the client again.',
    ],
  ])('does not start when it is %s', async (_, content, problem) => {
    if (content !== undefined) await writeFile(file, content);
    const starting = createGateway({
      supergraph: { file: 'supergraph.graphql' },
      security: { trustedDocuments: { mode: 'prefer', manifest: [file] } },
    });
    await expect(starting).rejects.toMatchObject({
      name: 'ConfigError',
      problems: [
        {
          path: 'security.trustedDocuments.manifest',
          message: `cannot be used: ${problem.replace('FILE', file)}`,
          expected: '',
        },
      ],
    });
  });

  test('reports the problems of all manifests at once', async () => {
    await writeFile(file, '{ "a"');
    const gone = join(directory, 'gone.json');
    const starting = createGateway({
      supergraph: { file: 'supergraph.graphql' },
      security: { trustedDocuments: { mode: 'prefer', manifest: [gone, file] } },
    });
    await expect(starting).rejects.toMatchObject({
      problems: [
        { message: `cannot be used: ${gone} does not exist. Name an existing file in UTF-8.` },
        { message: expect.stringContaining(`${file} is not JSON`) },
      ],
    });
  });

  test('reports at most twenty problems', async () => {
    await writeFile(
      file,
      JSON.stringify(Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`id${n}`, '{']))),
    );
    const error = await load().catch(
      (error: unknown) => error as { problems: readonly { message: string }[] },
    );
    if (!('problems' in error)) throw new Error('The manifest was accepted.');
    expect([error.problems.length, error.problems.at(-1)?.message]).toEqual([
      21,
      'cannot be used: 10 more problems',
    ]);
  });
});
