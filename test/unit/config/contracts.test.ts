import { describe, expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };

describe('the section contracts', () => {
  test('warns and does not record by default', () => {
    expect(parseConfig({ supergraph }).contracts).toEqual({
      guard: 'warn',
      directory: 'contracts',
      driftInterval: 60_000,
      schemaTimeout: 3_000,
      record: {
        enabled: false,
        directory: 'recorded-operations',
        maxOperations: 1_000,
        maxClients: 50,
        maxSize: 16 * 1024 ** 2,
        clientNameHeaders: ['apollographql-client-name', 'graphql-client-name'],
        clientVersionHeaders: ['apollographql-client-version', 'graphql-client-version'],
      },
    });
  });

  test('accepts header names in any case', () => {
    const record = { enabled: 'true', clientNameHeaders: ['X-App'] } as const;
    expect(parseConfig({ supergraph, contracts: { record } }).contracts.record).toMatchObject({
      enabled: true,
      clientNameHeaders: ['x-app'],
    });
  });

  test('reports problems with the expected values', () => {
    const contracts = {
      guard: 'strict',
      directory: ' ',
      record: { maxOperations: 0, maxSize: '0MB', clientNameHeaders: ['host'] },
    };
    expect(findConfigProblems({ supergraph, contracts })).toEqual([
      { path: 'contracts.guard', message: 'is "strict"', expected: 'one of off, warn, enforce' },
      { path: 'contracts.directory', message: 'is " "', expected: 'a directory' },
      { path: 'contracts.record.maxOperations', message: 'is 0', expected: 'a whole number of at least 1' },
      {
        path: 'contracts.record.maxSize',
        message: 'is "0MB"',
        expected: 'a size such as 64KB, 1MB or 2GB, at least 1B',
      },
      {
        path: 'contracts.record.clientNameHeaders[0]',
        message: 'is "host"',
        expected:
          'a header name, except headers of the connection and the body such as host and content-type',
      },
    ]);
  });
});
