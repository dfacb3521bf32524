import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { parseConfig } from '../../../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../../../gateway/config/schema.ts';
import { createRecordingHook } from '../../../../gateway/contracts/recording/recordingHook.ts';
import { createLogger } from '../../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createTemporaryDirectory } from '../../../harness/suiteResources.ts';

type Record = NonNullable<NonNullable<GatewayOptions['contracts']>['record']>;

function recordingUnderTest(record: Record) {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const config = parseConfig({ supergraph: { file: 'x.graphql' }, contracts: { record } });
  const log = createLogger('info', destination);
  const recording = createRecordingHook(config, { log, timers: new FakeTimers(), now: () => 0 });
  return { recording, logged: () => lines.map((line) => JSON.parse(line)) };
}

const sentBy = (headers: { [name: string]: string }, field = 'a') => ({
  document: parse(`query Page { ${field} }`),
  operationName: undefined,
  headers: new Map(Object.entries(headers)),
});

async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = createTemporaryDirectory();
  await use(directory);
}

describe('createRecordingHook', () => {
  test('returns undefined unless contracts.record.enabled is set', () => {
    expect(recordingUnderTest({}).recording).toBeUndefined();
  });

  test('identifies clients by the first header with a value', () =>
    withDirectory(async (directory) => {
      const { recording } = recordingUnderTest({ enabled: true, directory });
      recording?.onOperation(sentBy({ 'apollographql-client-name': 'web', 'graphql-client-name': 'other' }));
      recording?.onOperation(sentBy({ 'apollographql-client-name': ' ', 'graphql-client-name': 'ios' }));
      recording?.onOperation(sentBy({ 'x-app': 'tv' }));
      await recording?.close();
      expect((await readdir(directory)).sort()).toEqual(['ios', 'unnamed', 'web']);
    }));

  test('reads the configured headers', () =>
    withDirectory(async (directory) => {
      const { recording } = recordingUnderTest({ enabled: true, directory, clientNameHeaders: ['X-App'] });
      recording?.onOperation(sentBy({ 'x-app': 'tv', 'graphql-client-name': 'other' }));
      await recording?.close();
      expect(await readdir(directory)).toEqual(['tv']);
    }));

  test('logs write errors and reached limits', () =>
    withDirectory(async (root) => {
      const full = recordingUnderTest({ enabled: true, directory: root, maxOperations: 1 });
      full.recording?.onOperation(sentBy({}));
      full.recording?.onOperation(sentBy({}, 'b'));
      await full.recording?.close();
      expect(full.logged()).toMatchObject([
        {
          level: 40,
          msg: 'A limit of contracts.record is reached: no more operations are recorded',
          limit: 'maxOperations',
          value: 1,
        },
      ]);

      const directory = join(root, 'file');
      await writeFile(directory, '');
      const failing = recordingUnderTest({ enabled: true, directory });
      failing.recording?.onOperation(sentBy({}));
      await failing.recording?.close();
      expect(failing.logged()).toMatchObject([
        {
          level: 50,
          msg: 'Operations cannot be recorded (contracts.record)',
          directory,
          err: { code: 'ENOTDIR' },
        },
      ]);
    }));
});
