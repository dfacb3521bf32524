import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type DocumentNode, parse } from 'graphql';
import {
  OperationRecorder,
  type OperationRecorderOptions,
} from '../../../../gateway/contracts/recording/operationRecorder.ts';
import { canonicalizeOperation } from '../../../../gateway/operation/canonicalizeOperation.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createTemporaryDirectory } from '../../../harness/suiteResources.ts';

let root: string;
let directory: string;

beforeEach(() => {
  root = createTemporaryDirectory();
  directory = join(root, 'recorded');
});

const limits = { maxOperations: 100, maxClients: 10, maxSize: 1024 ** 2 };

function recorderUnderTest(changed: Partial<OperationRecorderOptions> = {}) {
  const timers = new FakeTimers();
  const errors: unknown[] = [];
  const full: string[] = [];
  const recorder = new OperationRecorder({
    directory,
    limits,
    timers,
    now: () => Date.UTC(2027, 0, 31, 23, 59),
    onError: (error) => errors.push(error),
    onLimitReached: (limit) => full.push(limit),
    ...changed,
  });
  const record = (document: DocumentNode, clientName?: string, clientVersion?: string): void =>
    recorder.record({ document, operationName: undefined, clientName, clientVersion });
  return { recorder, record, timers, errors, full };
}

/** Texts of all files by path relative to the directory. */
async function filesIn(folder = directory): Promise<Record<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files: Record<string, string> = {};
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(folder.length + 1).replaceAll('\\', '/')] = await readFile(path, 'utf8');
  }
  return files;
}

const query = (field: string): DocumentNode => parse(`query Page { ${field} }`);
const hashOf = (document: DocumentNode): string => canonicalizeOperation(document, undefined).hash;

describe('OperationRecorder', () => {
  test('writes each operation once, with its client', async () => {
    const { recorder, record } = recorderUnderTest();
    record(parse('query Page { product(id: "17") }'), 'storefront', '1.0');
    record(parse('query Page { product(id: "18") }'), 'storefront', '1.1');
    record(parse('query Page { product(id: "18") }'), 'storefront', '1.1');
    record(parse('{ me }'), undefined, undefined);
    await recorder.close();
    expect(await filesIn()).toEqual({
      [`storefront/Page.${hashOf(parse('query Page { product(id: "") }'))}.graphql`]: `# client: storefront
# version: 1.0
# version: 1.1
# first seen: 2027-01-31
query Page {
  product(id: "")
}
`,
      [`unnamed/Anonymous.${hashOf(parse('{ me }'))}.graphql`]: `# client: unnamed
# first seen: 2027-01-31
query Anonymous_${hashOf(parse('{ me }'))} {
  me
}
`,
    });
  });

  test('writes operations later, outside of the request', async () => {
    const { recorder, record, timers } = recorderUnderTest();
    record(query('a'), 'web');
    record(query('b'), 'web');
    expect(timers.pendingCount).toBe(1);
    timers.advance(999);
    await expect(readdir(directory)).rejects.toThrow('ENOENT');
    timers.advance(1);
    await recorder.close();
    expect(Object.keys(await filesIn())).toHaveLength(2);
  });

  test('does nothing for an operation that is already recorded', async () => {
    const { recorder, record, timers } = recorderUnderTest();
    const document = query('a');
    record(document, 'web', '1');
    timers.advance(1_000);
    record(document, 'web', '1');
    expect(timers.pendingCount).toBe(0);
    record(document, 'web', '2');
    expect(timers.pendingCount).toBe(1);
    await recorder.close();
  });

  test('recognises the files of an earlier process, adds client versions and keeps the first day', async () => {
    const first = recorderUnderTest();
    first.record(query('a'), 'web', '1');
    await first.recorder.close();
    const second = recorderUnderTest({ now: () => Date.UTC(2028, 1, 1) });
    second.record(query('a'), 'web', '1');
    second.record(query('a'), 'web', '2');
    await second.recorder.close();
    expect(Object.values(await filesIn())).toEqual([
      '# client: web\n# version: 1\n# version: 2\n# first seen: 2027-01-31\nquery Page {\n  a\n}\n',
    ]);
  });

  test('keeps the last twenty client versions', async () => {
    const { recorder, record } = recorderUnderTest();
    for (let version = 1; version <= 25; version++) record(query('a'), 'web', String(version));
    await recorder.close();
    const [text = ''] = Object.values(await filesIn());
    expect(Array.from(text.matchAll(/^# version: (.*)$/gm), ([, version]) => version)).toEqual(
      Array.from({ length: 20 }, (_, index) => String(index + 6)),
    );
  });

  test('writes below its directory and inside comments for any name of a client', async () => {
    const { recorder, record } = recorderUnderTest();
    record(query('a'), '../../outside', '1\u001B[31m\u2028# @slo latency: 1ms');
    await recorder.close();
    const files = await filesIn(root);
    const [[path, text] = ['', '']] = Object.entries(files);
    expect(Object.keys(files)).toHaveLength(1);
    expect(path).toMatch(/^recorded\/[\w.-]+\/Page\.[0-9a-f]{12}\.graphql$/);
    expect(text.split('\n').slice(0, 3)).toEqual([
      '# client: ../../outside',
      '# version: 1\\u001B[31m\\u2028# @slo latency: 1ms',
      '# first seen: 2027-01-31',
    ]);
  });
});

describe('a recording limit', () => {
  test.each([
    ['maxOperations', { maxOperations: 2 }],
    ['maxClients', { maxClients: 2 }],
    // Room for two files of 53 bytes.
    ['maxSize', { maxSize: 150 }],
  ])('is enforced, reported once, and includes existing files: %s', async (name, limit) => {
    const options = { limits: { ...limits, ...limit } };
    const first = recorderUnderTest(options);
    first.record(query('a'), 'one');
    await first.recorder.close();
    expect(first.full).toEqual([]);
    const second = recorderUnderTest(options);
    for (const client of ['two', 'three', 'four']) second.record(query('a'), client);
    await second.recorder.close();
    expect(Object.keys(await filesIn())).toHaveLength(2);
    expect(second.full).toEqual([name]);
  });

  test('for clients still accepts operations of known clients', async () => {
    const { recorder, record, full } = recorderUnderTest({ limits: { ...limits, maxClients: 1 } });
    record(query('a'), 'one');
    record(query('b'), 'one');
    await recorder.close();
    expect([Object.keys(await filesIn()).length, full]).toEqual([2, []]);
  });

  test('bounds the queue', async () => {
    const { recorder, record } = recorderUnderTest({ limits: { ...limits, maxOperations: 1_000 } });
    for (let index = 0; index < 101; index++) record(query(`f${index}`), 'web');
    await recorder.close();
    expect(Object.keys(await filesIn())).toHaveLength(100);
  });

  test('bounds the memory per document', async () => {
    const { recorder, record } = recorderUnderTest({ limits: { ...limits, maxClients: 100 } });
    const document = query('a');
    for (let index = 0; index < 70; index++) record(document, `client${index}`);
    await recorder.close();
    expect(Object.keys(await filesIn())).toHaveLength(64);
  });
});

describe('an unwritable recording directory', () => {
  test('is reported once', async () => {
    await writeFile(directory, 'a file');
    const { recorder, record, errors } = recorderUnderTest();
    record(query('a'), 'web');
    record(query('b'), 'web');
    await recorder.close();
    expect(errors).toHaveLength(1);
  });

  test('is retried with the next request, after a longer delay', async () => {
    await writeFile(directory, 'a file');
    const failed = Promise.withResolvers<unknown>();
    const { recorder, record, timers } = recorderUnderTest({ onError: failed.resolve });
    const document = query('a');
    record(document, 'web');
    timers.advance(1_000);
    await failed.promise;
    await rm(directory);
    record(document, 'web');
    timers.advance(29_999);
    await expect(readdir(directory)).rejects.toThrow('ENOENT');
    timers.advance(1);
    await recorder.close();
    expect(Object.keys(await filesIn())).toEqual([`web/Page.${hashOf(document)}.graphql`]);
  });

  test('leaves no partial file', async () => {
    const document = query('a');
    const file = `Page.${hashOf(document)}.graphql`;
    await mkdir(join(directory, 'web', file), { recursive: true });
    const { recorder, record, errors } = recorderUnderTest();
    record(document, 'web');
    await recorder.close();
    expect(errors).toHaveLength(1);
    expect(await readdir(join(directory, 'web'))).toEqual([file]);
  });
});
