import { z } from 'zod';
import { choice, duration, flag, integer, nonBlankText, size } from '../scalars.ts';
import { headerName } from './headerName.ts';

const directory = () => nonBlankText('a directory');

export const contractsSection = z
  .strictObject({
    guard: choice(['off', 'warn', 'enforce'])
      .describe(
        'Checks a new supergraph against the contracts before the switch to it. `off`: no check. `warn`: breakages are logged. `enforce`: a supergraph with breakages is refused.',
      )
      .prefault('warn'),
    directory: directory()
      .describe(
        'Directory of the contracts; see [contracts.md](contracts.md). A relative path starts at the working directory. Without a directory `schemas` in it, nothing is checked.',
      )
      .prefault('contracts'),
    driftInterval: duration()
      .describe(
        'Interval of the comparison of running subgraphs with their contracts. `0`: no comparison. There is none with `guard: off` either.',
      )
      .prefault('60s'),
    schemaTimeout: duration()
      .describe(
        'Maximum time that the check of a new supergraph waits for the schemas of running subgraphs. Subgraphs that do not respond in time are not considered. `0`: running subgraphs are not considered.',
      )
      .prefault('3s'),
    record: z
      .strictObject({
        enabled: flag()
          .describe('Writes the operations that clients send to files, without literals and variable values.')
          .prefault(false),
        directory: directory()
          .describe(
            'Directory of the recorded operations, with a subdirectory for each client. It is separate from the contracts: you decide which operations to add to them.',
          )
          .prefault('recorded-operations'),
        maxOperations: integer({ min: 1 })
          .describe('Maximum number of files of all clients together. Further operations are not recorded.')
          .prefault(1_000),
        maxClients: integer({ min: 1 })
          .describe('Maximum number of clients. Clients choose their names freely, so that it needs a limit.')
          .prefault(50),
        maxSize: size().describe('Maximum size of all files together.').prefault('16MB'),
        clientNameHeaders: z
          .array(headerName)
          .describe("Headers with the client's name. The first header that is present is used.")
          .prefault(['apollographql-client-name', 'graphql-client-name']),
        clientVersionHeaders: z
          .array(headerName)
          .describe("Headers with the client's version.")
          .prefault(['apollographql-client-version', 'graphql-client-version']),
      })
      .prefault({}),
  })
  .describe('Checks of contracts in the running gateway.');
